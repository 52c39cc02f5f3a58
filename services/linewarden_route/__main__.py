"""Runs route as a process."""

from linewarden_route.bootstrap import main

raise SystemExit(main())
