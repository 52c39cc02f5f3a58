"""What is known of a line that runs: defects among its passes, people measured, drift. Never imports torch."""
