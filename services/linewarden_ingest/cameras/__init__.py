"""Where pictures come from: one interface, a module a kind of camera."""
