"""Synthetic parts with exact defect masks; reaches numpy and OpenCV, never torch."""
