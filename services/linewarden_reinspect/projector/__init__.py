"""Keeps the queue's view equal to the topic `reinspections`."""
