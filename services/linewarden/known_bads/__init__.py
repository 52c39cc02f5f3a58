"""Pictures of known defects, slipped into a line's queue to measure people."""
