"""`python -m linewarden_inspect.keeper`."""

from linewarden_inspect.keeper import main

raise SystemExit(main())
