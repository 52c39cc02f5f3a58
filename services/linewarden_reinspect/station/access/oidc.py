"""Sign-in at an OpenID provider: code flow with PKCE, state and nonce (OpenID Connect Core 1.0). Off by default.

What was begun is kept in this process, bound to the browser by a cookie; a restart in between means beginning again.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from linewarden_reinspect.station.errors import Forbidden, ProviderAway
from linewarden_runtime.bounded import Bounded
from linewarden_runtime.clock import Clock
from linewarden_schemas.vocabulary import Role

_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
_BEGUN_MS = 600_000
_MOST_BEGUN = 1000
_LEEWAY_S = 60


@dataclass(frozen=True, slots=True)
class ProviderRules:
    """The provider, and which of its claims say who somebody is. `roles` maps values of the role claim."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str
    name_claim: str
    role_claim: str
    roles: dict[str, Role]
    scope: str = "openid profile email"


@dataclass(frozen=True, slots=True)
class _Begun:
    state: str
    nonce: str
    verifier: str
    until_ms: int


class Provider(Protocol):
    """Who says who somebody is."""

    def begin(self) -> tuple[str, str]:
        """Where to send the browser, and the ticket that it brings back in a cookie. Raises ProviderAway."""
        ...

    def finish(self, ticket: str, state: str, code: str) -> tuple[str, Role]:
        """Name and role. Raises Forbidden for an answer that is not to be believed, ProviderAway."""
        ...


class OpenIdProvider:
    """One provider, asked over HTTP; its addresses are learnt at first use."""

    def __init__(self, rules: ProviderRules, clock: Clock, timeout_s: float = 5.0) -> None:
        self._rules, self._clock, self._timeout_s = rules, clock, timeout_s
        self._begun: Bounded[str, _Begun] = Bounded(_MOST_BEGUN)
        self._lock = threading.Lock()
        self._addresses: dict[str, str] | None = None

    def begin(self) -> tuple[str, str]:
        """Where to send the browser, and the ticket that it brings back in a cookie. Raises ProviderAway."""
        nonce, verifier, ticket = (secrets.token_urlsafe(48) for _ in range(3))
        address = self._discovered()["authorization_endpoint"]
        with self._client() as client:
            url, state = client.create_authorization_url(address, nonce=nonce, code_verifier=verifier)
        with self._lock:
            self._begun[ticket] = _Begun(state, nonce, verifier, self._clock.now_ms() + _BEGUN_MS)
        return url, ticket

    def finish(self, ticket: str, state: str, code: str) -> tuple[str, Role]:
        """Name and role. Raises Forbidden for an answer that is not to be believed, ProviderAway."""
        with self._lock:
            begun = self._begun.pop(ticket, None)
        if begun is None or begun.until_ms < self._clock.now_ms():
            raise Forbidden("problem.not_begun")
        if not secrets.compare_digest(begun.state.encode(), state.encode()):
            raise Forbidden("problem.other_sign_in")
        claims = self._claims(self._token(code, begun.verifier), begun.nonce)
        return self._name(claims), self._role(claims)

    def _token(self, code: str, verifier: str) -> str:
        try:
            with self._client() as client:
                token = client.fetch_token(self._discovered()["token_endpoint"], code=code, code_verifier=verifier)
        except httpx.HTTPError as error:
            raise ProviderAway("problem.provider_away", why=type(error).__name__) from error
        except AuthlibBaseError as error:
            raise Forbidden("problem.provider_refuses", why=error.error) from error
        return str(token.get("id_token", ""))

    def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        rules = self._rules
        registry = jwt.JWTClaimsRegistry(
            now=self._clock.now_ms() // 1000,
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": rules.issuer},
            aud={"essential": True, "value": rules.client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        keys = KeySet.import_key_set(self._fetched(self._discovered()["jwks_uri"]))
        try:
            claims = jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
            registry.validate(claims)
        except (JoseError, ValueError) as error:
            raise Forbidden("problem.provider_unbelieved", why=type(error).__name__) from error
        return dict(claims)

    def _name(self, claims: dict[str, Any]) -> str:
        name = claims.get(self._rules.name_claim)
        if not isinstance(name, str) or not name:
            raise Forbidden("problem.provider_claim", claim=self._rules.name_claim)
        return name

    def _role(self, claims: dict[str, Any]) -> Role:
        told = claims.get(self._rules.role_claim)
        words = told if isinstance(told, list) else [told]
        role = next((self._rules.roles[word] for word in words if word in self._rules.roles), None)
        if role is None:
            raise Forbidden("problem.no_role")
        return role

    def _discovered(self) -> dict[str, str]:
        if self._addresses is None:
            told = self._fetched(f"{self._rules.issuer.rstrip('/')}/.well-known/openid-configuration")
            if told.get("issuer") != self._rules.issuer:
                raise ProviderAway("problem.provider_other", issuer=told.get("issuer"), expected=self._rules.issuer)
            self._addresses = {name: str(value) for name, value in told.items()}
        return self._addresses

    def _fetched(self, url: str) -> Any:  # noqa: ANN401 - JSON
        try:
            return httpx.get(url, timeout=self._timeout_s).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderAway("problem.provider_away", why=type(error).__name__) from error

    def _client(self) -> Any:  # noqa: ANN401 - the library is not typed
        rules = self._rules
        return OAuth2Client(
            rules.client_id,
            rules.client_secret,
            scope=rules.scope,
            redirect_uri=rules.redirect_uri,
            code_challenge_method="S256",
            timeout=self._timeout_s,
        )
