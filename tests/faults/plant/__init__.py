"""The plant's two sides struck: each kind of camera and each output, and a balance after each strike."""
