"""linewarden."""
