"""The queue's rules in plain Python: what Redis is tested against, and a queue for tests without one."""
