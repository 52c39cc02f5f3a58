"""`python -m linewarden_inspect`."""

from linewarden_inspect.bootstrap import main

raise SystemExit(main())
