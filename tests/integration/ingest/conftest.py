"""Fixtures of this folder."""

from tests.support.brokers import namespace, tansu, tansu_broker

__all__ = ["namespace", "tansu", "tansu_broker"]
