"""The report of a shift: what a line made, what was wrong with it, and when it did not run."""
