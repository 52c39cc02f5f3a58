"""Behaviour of linewarden_runtime."""
