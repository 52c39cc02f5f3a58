"""Fixtures of this folder."""

from tests.support.bundles import bundle_store

__all__ = ["bundle_store"]
