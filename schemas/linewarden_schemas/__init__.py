"""What crosses a boundary: topics, ids, messages and their binding to Kafka records."""
