"""`python -m linewarden_ingest`."""

from linewarden_ingest.bootstrap import main

raise SystemExit(main())
