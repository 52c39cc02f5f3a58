"""Keeps what a line is in: its alarms, and its changes of state; one process a line."""
