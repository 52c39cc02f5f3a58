"""What a picture is and how it is read: one rule for line, station, offline inspection, training and replay."""
