"""What inspect and replay do with one frame, as pure functions: the same code answers live and recorded frames."""
