"""The alarms of a line: what raises them, how they live, and what people do with them."""
