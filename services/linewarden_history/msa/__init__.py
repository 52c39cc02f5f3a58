"""A study of the measurement system: the machine with re-loaded parts, and people, blind and shuffled."""
