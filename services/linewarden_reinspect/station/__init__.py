"""The web station of the operators: it claims, shows and records decisions, and decides nothing itself."""
