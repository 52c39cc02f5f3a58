"""A producer in a process of its own: its interpreter works beside that of its user, not in turn with it."""
