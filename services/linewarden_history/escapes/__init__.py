"""Escapes reported from the field, joined to the visits that let them go."""
