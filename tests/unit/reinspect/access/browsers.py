"""Somebody at the station's own pages, without a browser."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient

from linewarden_reinspect.station.app import create_app
from linewarden_schemas.vocabulary import Role
from tests.unit.reinspect.rig import LINKS, Rig

BASE = "http://station.test"


class Person:
    """A client that behaves as the pages do; signed in by one of the tests' links."""

    def __init__(self, made: Rig, role: Role, name: str = "") -> None:
        self.client = TestClient(create_app(made.station), base_url=BASE, follow_redirects=False)
        self.headers = {"origin": BASE, "sec-fetch-site": "same-origin"}
        self.name = name or f"{role.value}-person"
        link = next(link for link, good_for in LINKS.items() if good_for is role)
        answer = self.client.post("/sign-in", data={"link": link, "name": self.name}, headers=self.headers)
        assert answer.status_code == 303, answer.text
        session = made.station.access.sessions.find(self.client.cookies[made.station.access.rules.cookie])
        self.headers["x-linewarden-token"] = session.csrf

    def get(self, path: str) -> Any:
        return self.client.get(path, headers=self.headers)

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return self.client.post(path, json=body or {}, headers=self.headers)
