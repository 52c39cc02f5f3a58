"""The keeper: pictures and maps of requested visits, saved beyond the retention of `frames`."""

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the keeper until SIGTERM; the exit code."""
    from linewarden_inspect.keeper.bootstrap import main as run  # noqa: PLC0415 - the parts are importable without clients

    return run(argv)
