"""Who may ask what: nothing is open but /healthz, and who may only read changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from evervec.app import create_app
from evervec.config import Config
from tests.service.conftest import Webhook

READ = [
    ("GET", "/sources"),
    ("GET", "/sources/note/status"),
    ("GET", "/jobs/999999"),
    ("GET", "/dead-letters"),
    ("GET", "/alerts"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("POST", "/embed"),
    ("POST", "/search"),
]
WRITE = [
    ("POST", "/process"),
    ("POST", "/wake"),
    ("POST", "/sources/note/generate"),
    ("POST", "/jobs/bulk"),
    ("POST", "/dead-letters/1/retry"),
]
ADMIN = [("POST", "/dead-letters/1/resolve")]
CRON = [("GET", "/cron/tick"), ("POST", "/cron/tick")]
ALL = READ + WRITE + ADMIN + CRON


def ask(webhook: Webhook, route: tuple[str, str], headers: Mapping[str, str]) -> Any:
    method, path = route
    return webhook.client.open(f"/v1{path}", method=method, headers=headers)


def nothing_was_done(webhook: Webhook) -> bool:
    return (
        webhook.state.runner._thread is None
        and webhook.rows("select count(*) from evervec.processing_queue") == [(0,)]
        and webhook.rows("select count(*) from note_embedding") == [(0,)]
    )


def test_every_route_is_in_one_of_these_lists() -> None:
    rules = create_app(Config()).url_map.iter_rules()
    routes = {
        (method, str(rule).replace("<name>", "note").replace("<int:id>", "0"))
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    listed = {(m, f"/v1{p}".replace("999999", "0").replace("/1/", "/0/")) for m, p in ALL}
    assert routes == listed | {("GET", "/v1/healthz")}


@pytest.mark.parametrize("route", ALL, ids=" ".join)
def test_nobody_may_ask_without_a_token(webhook: Webhook, route: tuple[str, str]) -> None:
    refused = ask(webhook, route, {})

    assert (refused.status_code, refused.mimetype) == (401, "application/problem+json")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert nothing_was_done(webhook)


def test_health_is_open(webhook: Webhook) -> None:
    assert webhook.get("/healthz", headers={}).json == {"status": "ok"}


def spoil(how: str, token: str) -> str:
    return {
        "wrong": f"Bearer evv_{'0' * 64}",
        "truncated": f"Bearer {token[:-1]}",
        "longer": f"Bearer {token}0",
        "another scheme": f"Basic {token}",
        "empty": "Bearer ",
        "bare": token,
        "not of this alphabet": "Bearer \N{LATIN SMALL LETTER E WITH ACUTE}",
    }[how]


@pytest.mark.parametrize(
    "how",
    ["wrong", "truncated", "longer", "another scheme", "empty", "bare", "not of this alphabet"],
)
def test_a_token_that_is_none_is_refused(webhook: Webhook, how: str) -> None:
    token = webhook.token("write")["Authorization"].removeprefix("Bearer ")

    refused = ask(webhook, ("POST", "/process"), {"Authorization": spoil(how, token)})

    assert (refused.status_code, refused.json["type"]) == (401, "urn:evervec:token")
    assert token not in refused.text
    assert nothing_was_done(webhook)


def test_an_expired_token_is_refused(webhook: Webhook) -> None:
    headers = webhook.token("write")
    webhook.conn.execute("update evervec.api_token set expires_at = now() where name = 'write'")

    assert ask(webhook, ("POST", "/process"), headers).status_code == 401
    assert nothing_was_done(webhook)


def test_a_revoked_token_is_refused(webhook: Webhook) -> None:
    headers = webhook.token("write")
    webhook.conn.execute("select evervec.revoke_token('write')")

    assert ask(webhook, ("POST", "/process"), headers).status_code == 401
    assert nothing_was_done(webhook)


@pytest.mark.parametrize("route", WRITE + ADMIN, ids=" ".join)
def test_who_may_read_may_not_write(webhook: Webhook, route: tuple[str, str]) -> None:
    refused = ask(webhook, route, webhook.token("read"))

    assert (refused.status_code, refused.json["type"]) == (403, "urn:evervec:scope")
    assert nothing_was_done(webhook)


def test_who_may_write_may_not_settle(webhook: Webhook) -> None:
    assert ask(webhook, ADMIN[0], webhook.token("write")).status_code == 403


@pytest.mark.parametrize(
    ("scope", "routes"), [("read", READ), ("write", READ + WRITE), ("admin", READ + WRITE + ADMIN)]
)
def test_each_scope_includes_those_below(
    webhook: Webhook, scope: str, routes: list[tuple[str, str]]
) -> None:
    headers = webhook.headers if scope == "admin" else webhook.token(scope)
    for route in routes:
        assert ask(webhook, route, headers).status_code not in (401, 403), route


def test_no_scheduler_is_let_in_without_a_secret() -> None:
    client = create_app(Config()).test_client()

    for headers in ({"Authorization": "Bearer "}, {"Authorization": "Bearer x"}):
        assert client.get("/v1/cron/tick", headers=headers).status_code == 401


# -- rings -------------------------------------------------------------------------------------

BODY = b'{"evervec": "ring"}'


def signed(webhook: Webhook, body: bytes = BODY) -> dict[str, str]:
    """The headers of a ring, as the database signs it."""
    ((timestamp, nonce, signature),) = webhook.conn.execute(
        'select "timestamp", nonce, signature from evervec.sign_ring(%s)', [body]
    ).fetchall()
    return {
        "X-Evervec-Timestamp": str(timestamp),
        "X-Evervec-Nonce": nonce,
        "X-Evervec-Signature": signature,
    }


def ring(webhook: Webhook, headers: Mapping[str, str], body: bytes = BODY) -> Any:
    return webhook.client.post("/v1/wake", headers=headers, data=body)


def test_a_ring_of_the_database_is_heard(webhook: Webhook) -> None:
    heard = ring(webhook, signed(webhook))

    assert (heard.status_code, heard.json) == (202, {"accepted": True})


def test_a_ring_is_heard_once(webhook: Webhook) -> None:
    headers = signed(webhook)
    ring(webhook, headers)

    replayed = ring(webhook, headers)

    assert (replayed.status_code, replayed.json["type"]) == (401, "urn:evervec:ring")
    assert "replayed" in replayed.json["title"]


def test_an_old_ring_is_refused(webhook: Webhook) -> None:
    timestamp, nonce = 1_000_000_000, "0123456789abcdef"
    ((signature,),) = webhook.conn.execute(
        "select evervec.ring_signature(value, %s, %s, %s)"
        " from evervec.secret_values('ring') as s (value)",
        [timestamp, nonce, BODY],
    ).fetchall()
    headers = {
        "X-Evervec-Timestamp": str(timestamp),
        "X-Evervec-Nonce": nonce,
        "X-Evervec-Signature": signature,
    }

    old = ring(webhook, headers)

    assert (old.status_code, old.json["title"]) == (401, "the ring is refused: expired")
    assert nothing_was_done(webhook)


Spoil = Callable[[dict[str, str]], dict[str, str]]


def without(name: str) -> Spoil:
    return lambda headers: {n: v for n, v in headers.items() if n != name}


def changed(name: str, change: Callable[[str], str]) -> Spoil:
    return lambda headers: headers | {name: change(headers[name])}


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(without("X-Evervec-Nonce"), id="no nonce"),
        pytest.param(without("X-Evervec-Timestamp"), id="no timestamp"),
        pytest.param(changed("X-Evervec-Signature", lambda s: s[:-1]), id="truncated"),
        pytest.param(changed("X-Evervec-Signature", lambda s: s[:-2] + "zz"), id="wrong"),
        pytest.param(changed("X-Evervec-Signature", lambda s: s.removeprefix("v1=")), id="bare"),
        pytest.param(changed("X-Evervec-Nonce", lambda n: n[::-1]), id="another nonce"),
        pytest.param(changed("X-Evervec-Timestamp", lambda t: str(int(t) + 1)), id="another time"),
        pytest.param(changed("X-Evervec-Timestamp", lambda _: "9" * 30), id="no time"),
        pytest.param(changed("X-Evervec-Timestamp", lambda t: f"-{t}"), id="negative"),
    ],
)
def test_a_ring_that_is_spoilt_is_refused(webhook: Webhook, spoilt: Spoil) -> None:
    refused = ring(webhook, spoilt(signed(webhook)))

    assert (refused.status_code, refused.json["type"]) == (401, "urn:evervec:ring")
    assert nothing_was_done(webhook)


def test_a_ring_without_signature_is_none(webhook: Webhook) -> None:
    refused = ring(webhook, without("X-Evervec-Signature")(signed(webhook)))

    assert (refused.status_code, refused.json["type"]) == (401, "urn:evervec:token")
    assert nothing_was_done(webhook)


def test_a_token_does_not_mend_a_bad_ring(webhook: Webhook) -> None:
    assert ring(webhook, {**webhook.headers, "X-Evervec-Signature": ""}).status_code == 401
    assert nothing_was_done(webhook)


def test_a_ring_with_another_body_is_refused(webhook: Webhook) -> None:
    assert ring(webhook, signed(webhook), BODY + b" ").status_code == 401
    assert nothing_was_done(webhook)


def test_who_may_write_may_ring(webhook: Webhook) -> None:
    assert ring(webhook, webhook.token("write")).status_code == 202


def test_a_route_that_names_no_guard_is_closed(webhook: Webhook) -> None:
    def forgotten() -> Any:
        return "open"

    app = create_app(webhook.state.config)
    app.add_url_rule("/v1/forgotten", view_func=forgotten)

    assert app.test_client().get("/v1/forgotten", headers=webhook.headers).status_code == 403
