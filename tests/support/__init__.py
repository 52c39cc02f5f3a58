"""Parts shared by tests."""
