"""Decisions of people as labels of pictures: who said it, what was on the screen, blind or not."""
