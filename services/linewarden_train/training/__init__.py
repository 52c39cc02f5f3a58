"""From sets of pictures with masks to a bundle."""
