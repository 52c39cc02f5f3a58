"""The fault matrix: a whole line on real servers, one fault after the other, and a balance after each."""
