"""A bundle as an ONNX file, held to the bundle's own golden answers."""
