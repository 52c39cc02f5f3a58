"""What happened to every part: the index, reports, labels, studies and escapes."""
