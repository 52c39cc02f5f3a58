"""What a re-run refuses."""

from linewarden_runtime.errors import Fatal


class ResultsUnusable(Fatal):
    """A file of results is of another run, or no such file."""

    exit_code = 78
