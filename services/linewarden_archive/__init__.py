"""Records beyond retention: small closed segments, a chained manifest, and who names what is not as it was written."""
