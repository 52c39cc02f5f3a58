"""`python -m linewarden_line`."""

from linewarden_line.bootstrap import main

raise SystemExit(main())
