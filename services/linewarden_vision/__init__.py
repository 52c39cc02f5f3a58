"""linewarden: network, trust, bundle, and what inspect and replay do with one frame."""

import os

# OpenCV reads this once, when it is first imported, and by default decodes pictures of a gigapixel. Whoever
# takes pictures from outside holds their headers against a lower limit of its own; this is the backstop.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(64_000_000))
