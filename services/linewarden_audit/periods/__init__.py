"""Closed periods of the conservation audit, each continuing where the one before ended."""
