"""Recorded frames inspected again: what to run, the workers, the results file, causes, routing."""
