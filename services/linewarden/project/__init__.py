"""A project of a line in a folder: written with every key explained, and looked through."""
