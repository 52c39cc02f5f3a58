"""A notice as a CloudEvent in JSON: what an output without a form of its own tells."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

from linewarden_onward.interface import Notice

TYPE = "linewarden.notice.v1"


def event_of(notice: Notice, source: str, epoch: int) -> bytes:
    """One event in structured mode, one line of JSON; its id is the notice's key, `epoch` that of who tells it.

    Its data are the `disposition` as in its topic, and `permission`, null where no gate may open.
    """
    disposition = notice.disposition
    told = {
        "specversion": "1.0",
        "id": notice.key,
        "source": source,
        "type": TYPE,
        "subject": disposition.visit_id,
        "time": datetime.fromtimestamp(disposition.decided_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "datacontenttype": "application/json",
        "simulated": disposition.is_simulated,
        "epoch": epoch,
        "data": {
            "disposition": json.loads(disposition.to_json()),
            "permission": None if notice.permission is None else asdict(notice.permission),
        },
    }
    return json.dumps(told, separators=(",", ":")).encode()
