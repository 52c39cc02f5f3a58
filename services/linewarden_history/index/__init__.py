"""An index of visits, built from the topics."""
