"""`python -m linewarden_reinspect` runs the station."""

from linewarden_reinspect.bootstrap import main

raise SystemExit(main())
