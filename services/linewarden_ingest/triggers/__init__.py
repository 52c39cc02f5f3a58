"""Triggers and part data from a side channel: read once a station, and joined to each camera's pictures."""
