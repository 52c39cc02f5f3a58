"""`python -m linewarden_onward`."""

from linewarden_onward.bootstrap import main

raise SystemExit(main())
