"""Fixtures of this folder."""

from tests.unit.reinspect.sockets import sockets_of_the_client_library

__all__ = ["sockets_of_the_client_library"]
