"""From a few pictures without masks to a bundle."""
