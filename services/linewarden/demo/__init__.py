"""The demo: a whole line in one command, with its figures proven at the end."""
