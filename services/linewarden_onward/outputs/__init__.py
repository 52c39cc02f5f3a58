"""Kinds of outputs; each module is one, and imports what its receiver needs where it is opened."""
