"""Rules and statistics that several stages need: pure, and built on the schemas alone."""
