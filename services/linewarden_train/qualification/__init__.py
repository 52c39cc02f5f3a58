"""A bound on the trusted passes among defects."""
