"""`python -m linewarden_reinspect.projector` runs the projector."""

from linewarden_reinspect.bootstrap import projector_main

raise SystemExit(projector_main())
