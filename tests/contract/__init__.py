"""The same promises, kept by every broker."""
