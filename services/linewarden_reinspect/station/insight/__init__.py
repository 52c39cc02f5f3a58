"""What auditors, leads and engineers look at: histories and figures, read from the topics."""
