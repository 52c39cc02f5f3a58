"""Tells what was decided to the plant: one output a process, at least once, in order, and silence means no."""
