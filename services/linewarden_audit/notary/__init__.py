"""Evidence that holds: a chain over what was committed, signed heads, and who names what was changed."""
