"""Rivals of the trust indicator behind one interface, and the random heads that it must beat."""
