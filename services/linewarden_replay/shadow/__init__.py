"""A candidate bundle beside the live line: one more consumer group, and the comparison of a re-run, live."""
