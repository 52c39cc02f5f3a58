"""A line that runs: defects among its trusted passes from audits, people measured, drift."""
