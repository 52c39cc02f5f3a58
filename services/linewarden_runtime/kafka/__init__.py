"""Adapters over kafka-python, each with the guard that its defects ask for; see the README's table."""
