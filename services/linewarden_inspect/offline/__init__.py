"""Inspection of a folder of pictures on this machine: no broker, no topic, the same judgement as on the line."""
