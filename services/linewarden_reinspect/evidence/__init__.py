"""What the station knows of the topic `evidence`: pictures and maps of requested visits."""
