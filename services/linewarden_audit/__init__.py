"""Proof that nothing was lost, doubled or passed unsafely, by code and read models of its own."""
