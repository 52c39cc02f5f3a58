"""Sign-in at an OpenID provider: a stub of one, served on loopback by the test."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import RSAKey

from linewarden_reinspect.station.access.access import AccessRules
from linewarden_reinspect.station.access.oidc import OidcSettings, OpenIdProvider
from linewarden_reinspect.station.app import create_app
from linewarden_reinspect.station.errors import Forbidden, ProviderAway
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.vocabulary import Role
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.access.browsers import BASE
from tests.unit.reinspect.rig import rig
from tests.unit.reinspect.slots import AT

KEY, OTHER_KEY = (RSAKey.generate_key(2048, {"kid": "k1"}) for _ in range(2))


@dataclass(slots=True)
class Stub:
    """A provider that believes everybody; `claims` are added to or override those of the token."""

    claims: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: KEY)
    challenges: list[str] = field(default_factory=list)
    nonce: str = ""
    issuer: str = ""

    def get(self, path: str) -> dict[str, Any]:
        if path == "/keys":
            return {"keys": [KEY.as_dict(private=False)]}
        ends = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
        return {"issuer": self.issuer} | {name: f"{self.issuer}{end}" for name, end in ends.items()}

    def token(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        verifier = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        if base64.urlsafe_b64encode(verifier).rstrip(b"=").decode() not in self.challenges:
            return 400, {"error": "invalid_grant"}
        now = AT // 1000
        told = {"iss": self.issuer, "aud": "station", "exp": now + 300, "iat": now, "nonce": self.nonce}
        told |= {"sub": "1", "preferred_username": "eva", "groups": ["staff", "line-leads"]} | self.claims
        signed = jwt.encode({"alg": "RS256", "kid": "k1"}, told, self.key)
        return 200, {"access_token": "a", "token_type": "Bearer", "id_token": signed}

    def authorize(self, url: str) -> str:
        """What the browser does there; the state that it brings back."""
        asked = parse_qs(urlsplit(url).query)
        assert asked["response_type"] == ["code"]
        assert asked["code_challenge_method"] == ["S256"]
        self.challenges.append(asked["code_challenge"][0])
        self.nonce = asked["nonce"][0]
        return asked["state"][0]


@pytest.fixture
def stub() -> Iterator[Stub]:
    made = Stub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, made.get(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer(*made.token(parse_qs(body)))

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def provider(stub: Stub, tmp_path: Path) -> OpenIdProvider:
    return OpenIdProvider(rules(stub.issuer, tmp_path), BASE, ManualClock(AT))


def rules(issuer: str, folder: Path) -> OidcSettings:
    secret = folder / "secret"
    secret.write_text("secret\n")
    return OidcSettings(issuer=issuer, client_id="station", client_secret_file=secret, roles={"line-leads": Role.LEAD})


def test_name_and_role_come_from_the_providers_claims(stub: Stub, provider: OpenIdProvider) -> None:
    url, ticket = provider.begin()
    assert provider.finish(ticket, stub.authorize(url), "code") == ("eva", Role.LEAD)


@pytest.mark.parametrize(
    "claims",
    [{"aud": "another"}, {"iss": "http://elsewhere.test"}, {"nonce": "of-another-sign-in"}, {"exp": AT // 1000 - 600}],
    ids=["another audience", "another issuer", "another nonce", "too old"],
)
def test_a_token_that_is_not_ours_is_not_believed(stub: Stub, provider: OpenIdProvider, claims: dict[str, Any]) -> None:
    url, ticket = provider.begin()
    state = stub.authorize(url)
    stub.claims = claims
    with pytest.raises(Forbidden, match="not to be believed"):
        provider.finish(ticket, state, "code")


def test_a_token_signed_by_another_key_is_not_believed(stub: Stub, provider: OpenIdProvider) -> None:
    url, ticket = provider.begin()
    state, stub.key = stub.authorize(url), OTHER_KEY
    with pytest.raises(Forbidden, match="not to be believed"):
        provider.finish(ticket, state, "code")


def test_somebody_without_a_role_here_does_not_get_in(stub: Stub, provider: OpenIdProvider) -> None:
    url, ticket = provider.begin()
    state, stub.claims = stub.authorize(url), {"groups": ["visitors"]}
    with pytest.raises(Forbidden, match="no role"):
        provider.finish(ticket, state, "code")


def test_an_answer_with_another_state_or_ticket_or_twice_is_refused(stub: Stub, provider: OpenIdProvider) -> None:
    url, ticket = provider.begin()
    state = stub.authorize(url)
    with pytest.raises(Forbidden, match="not begun here"):
        provider.finish("of-somebody-else", state, "code")
    with pytest.raises(Forbidden, match="another sign-in"):
        provider.finish(ticket, "another", "code")
    with pytest.raises(Forbidden, match="not begun here"):
        provider.finish(ticket, state, "code")


def test_a_provider_without_its_secret_or_the_stations_address_is_refused_at_the_start(tmp_path: Path) -> None:
    settings = rules("http://127.0.0.1:9", tmp_path)
    with pytest.raises(ConfigurationError, match="PUBLIC_URL"):
        OpenIdProvider(settings, None, ManualClock(AT))
    settings.client_secret_file.unlink()
    with pytest.raises(ConfigurationError, match="CLIENT_SECRET_FILE"):
        OpenIdProvider(settings, BASE, ManualClock(AT))


def test_a_provider_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    provider = OpenIdProvider(rules("http://127.0.0.1:9", tmp_path), BASE, ManualClock(AT))
    with pytest.raises(ProviderAway, match="does not answer"):
        provider.begin()


def test_the_browser_comes_back_signed_in(stub: Stub, provider: OpenIdProvider) -> None:
    clock = ManualClock(AT)
    access = AccessRules(provider=provider)
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock, rules=access) as made:
        client = TestClient(create_app(made.station), base_url=BASE, follow_redirects=False)
        begun = client.get("/oidc/start")
        assert "samesite=lax" in begun.headers["set-cookie"].lower()
        state = stub.authorize(begun.headers["location"])
        back = client.get(f"/oidc/back?state={state}&code=c")
        assert back.status_code == 200
        assert "samesite=strict" in back.headers["set-cookie"].lower()
        assert client.get("/api/me").json()["role"] == "lead"
        assert client.get(f"/oidc/back?state={state}&code=c").status_code == 403
