"""Recorded frames inspected again, and a candidate beside the live line: what would be answered differently."""
