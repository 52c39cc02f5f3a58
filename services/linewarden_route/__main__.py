"""Runs route as a process."""

from .bootstrap import main

raise SystemExit(main())
