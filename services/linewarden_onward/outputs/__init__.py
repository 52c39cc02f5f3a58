"""The kinds of outputs to the plant."""
