"""What the index refuses."""

from linewarden_runtime.errors import Fatal


class IndexUnusable(Fatal):
    """The index cannot be used as it is; the message says what to do."""

    exit_code = 78
