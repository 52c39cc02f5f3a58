"""Trust in an OK: agreement of maps, enhancement, normalised ingredients, suspicion."""
