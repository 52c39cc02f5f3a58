"""The kinds of output that linewarden brings, a module each."""
