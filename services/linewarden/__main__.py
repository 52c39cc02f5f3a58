"""`python -m linewarden`."""

from linewarden.cli import main

main()
