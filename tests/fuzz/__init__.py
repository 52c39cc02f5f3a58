"""Mutated input of every kind from outside, by seed: no crash, no pass, no growth. `python -m tests.fuzz`."""
