"""The audit report: one page on what was decided in a range, and how far it can be relied on."""
