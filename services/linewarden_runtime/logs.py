"""Structured logs: JSON lines in production, readable lines at a terminal; to stderr."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog


def configure(service: str, *, level: str = "INFO", json: bool | None = None) -> None:
    """Set up logging for the process; `json=None` means JSON unless stderr is a terminal.

    The client library of Kafka logs keys and values at DEBUG, so it stays at WARNING whatever the level.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _cap_values,
    ]
    as_json = not sys.stderr.isatty() if json is None else json
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    traceback = [structlog.processors.format_exc_info] if as_json else []
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *traceback, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in ("kafka", "urllib3", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(service=service)


def to_stderr() -> None:
    """Keep what a command logs off its output, where nothing was configured: that may be read by programs."""
    if not structlog.is_configured():
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


def _cap_values(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401 - structlog's signature
    """Cut long texts: what came over the bus must not fill the disk."""
    cap = 2000
    for key, value in event.items():
        if isinstance(value, str) and len(value) > cap:
            event[key] = value[:cap] + "..."
    return event
