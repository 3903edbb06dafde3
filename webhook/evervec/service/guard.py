"""Who may ask: every route names its guard, and one that names none is closed."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from flask import current_app, g, request

from evervec import logs
from evervec.errors import EvervecError
from evervec.service.problems import RefusedError
from evervec.service.state import state

if TYPE_CHECKING:
    from flask import Flask
    from flask_openapi3.models.security_scheme import SecurityScheme

    from evervec.records import Principal

Scope = Literal["read", "write", "admin"]
Guard = Callable[[], None]
View = TypeVar("View", bound=Callable[..., object])

_RING_HEADERS: Final = ("X-Evervec-Timestamp", "X-Evervec-Nonce", "X-Evervec-Signature")

# Of the body of a ring, which the database has to read before it knows whose it is.
_RING_BYTES: Final = 1_024

SCHEMES: Final[dict[str, SecurityScheme | dict[str, Any]]] = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token of `evervec token`."},
    "cron": {"type": "http", "scheme": "bearer", "description": "EVERVEC_CRON_SECRET."},
    "ring": {
        "type": "apiKey",
        "in": "header",
        "name": _RING_HEADERS[2],
        "description": "v1= and the HMAC-SHA256 of timestamp, nonce and body; see docs/webhook.md.",
    },
}

# Of operations that name no other; see the document.
DEFAULT: Final[list[dict[str, list[str]]]] = [{"token": []}]


def register(app: Flask) -> None:
    """Ask the guard of a route before anything of the request is read."""
    app.before_request(_ask)


def guarded(guard: Guard) -> Callable[[View], View]:
    """The route asks this guard."""

    def mark(view: View) -> View:
        view.guard = guard  # type: ignore[attr-defined]
        return view

    return mark


def needs(scope: Scope) -> Callable[[View], View]:
    """The route takes tokens of this scope."""
    return guarded(partial(_check_token, scope))


def nobody() -> None:
    """The guard of what is open to all."""


def ring() -> None:
    """The guard of the doorbell: a signature of the database, or a token that may write."""
    timestamp, nonce, signature = (request.headers.get(name) for name in _RING_HEADERS)
    if signature is None:
        _check_token("write")
        return
    # Eighteen digits at most: more may be no bigint.
    if timestamp is None or nonce is None or not re.fullmatch(r"[0-9]{1,18}", timestamp):
        raise RefusedError(
            HTTPStatus.UNAUTHORIZED,
            "ring",
            "a ring has a time, in seconds since 1970, and a nonce",
            hint=f"In the headers {_RING_HEADERS[0]} and {_RING_HEADERS[1]}.",
        )
    request.max_content_length = _RING_BYTES
    verdict = state().db.check_ring(int(timestamp), nonce, request.get_data(), signature)
    if verdict != "ok":
        raise RefusedError(HTTPStatus.UNAUTHORIZED, "ring", f"the ring is refused: {verdict}")


def cron() -> None:
    """The guard of schedulers outside the database."""
    wanted = state().config.cron_secret
    if not wanted or not hmac.compare_digest(_bearer().encode(), wanted.encode()):
        raise RefusedError(
            HTTPStatus.UNAUTHORIZED,
            "token",
            "this is not the secret of the scheduler",
            hint="It is EVERVEC_CRON_SECRET in the environment of the webhook.",
        )


def tenant(named: str | None) -> str | None:
    """On whose behalf the provider is asked: the token's tenant, or one named where it has none."""
    principal: Principal = g.principal
    if principal.tenant is None or named in (None, principal.tenant):
        return principal.tenant or named
    raise RefusedError(
        HTTPStatus.FORBIDDEN, "tenant", "this token speaks for another tenant than the one named"
    )


def name() -> str:
    """Whose token the request has."""
    principal: Principal = g.principal
    return principal.name


def _ask() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None:
        return  # no such route: Flask says so
    guard: Guard | None = getattr(view, "guard", None)
    if guard is None:
        raise RefusedError(HTTPStatus.FORBIDDEN, "closed", "this route is open to nobody")
    try:
        guard()
    except EvervecError as error:
        # Who is nobody yet learns nothing about the database.
        logs.warning("guard_failed", message=error.message, sqlstate=error.sqlstate)
        raise RefusedError(
            HTTPStatus.SERVICE_UNAVAILABLE, "database", "nobody can be let in at the moment"
        ) from error


def _check_token(scope: Scope) -> None:
    principal = state().db.check_token(_bearer())
    if principal is None:
        raise RefusedError(
            HTTPStatus.UNAUTHORIZED,
            "token",
            "there is no such token, or it is valid no more",
            hint="evervec token create makes one.",
        )
    g.principal = principal
    if scope not in principal.scopes:
        raise RefusedError(HTTPStatus.FORBIDDEN, "scope", f"this needs a token of scope {scope}")


def _bearer() -> str:
    """The token of the request."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise RefusedError(
            HTTPStatus.UNAUTHORIZED, "token", "a token is missing", hint="Authorization: Bearer …"
        )
    return token.strip()
