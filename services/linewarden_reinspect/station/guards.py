"""Headers of every answer, and the check that a changing request comes from the station's own pages."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from fastapi import Request

from .errors import Forbidden
from .sessions import Session

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
TOKEN_HEADER = "x-linewarden-token"  # noqa: S105 - a header's name
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def require_own_page(request: Request) -> None:
    """Refuse a changing request that a browser says comes from elsewhere, or of which it says nothing.

    Raises:
        Forbidden: where `Origin` is absent or not the host that was asked, or `Sec-Fetch-Site` is another site.
    """
    if request.method in SAFE_METHODS:
        return
    origin = urlsplit(request.headers.get("origin", ""))
    site = request.headers.get("sec-fetch-site", "same-origin")
    if not origin.netloc or origin.netloc != request.headers.get("host") or site != "same-origin":
        raise Forbidden("problem.foreign_page")


def require_token(request: Request, session: Session) -> None:
    """Refuse a changing request without the session's own token. Raises Forbidden."""
    given = request.headers.get(TOKEN_HEADER, "")
    if request.method not in SAFE_METHODS and not secrets.compare_digest(given.encode(), session.csrf.encode()):
        raise Forbidden("problem.old_page")
