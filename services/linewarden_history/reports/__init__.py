"""What reports share: a stretch of the topics sorted by visit, rates with their intervals, pages."""
