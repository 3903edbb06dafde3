"""Rings: signed by the database, believed once, for five minutes, and while the secret changes."""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import replace

import psycopg
import pytest

from tests.support.rings import BODY, Ring, checked, signed
from tests.support.sessions import in_thread, sessions
from tests.support.sql_worker import raises, value

SIGN = "select evervec.ring_signature(%s, %s, %s, %s)"


def nonces(conn: psycopg.Connection) -> int:
    return int(value(conn, "select count(*) from evervec.ring_nonce"))


@pytest.fixture
def ringing(conn: psycopg.Connection) -> psycopg.Connection:
    """A database that can ring."""
    conn.execute("select evervec.rotate_secret()")
    return conn


def resigned(conn: psycopg.Connection, ring: Ring) -> Ring:
    """The ring with the signature that whoever has the secret would give it."""
    secret = value(conn, "select * from evervec.secret_values('ring') limit 1")
    fields = (ring.timestamp, ring.nonce, ring.body)
    return replace(ring, signature=value(conn, SIGN, secret, *fields))


# RFC 4231, test cases 1 to 4, 6 and 7 (5 is about truncation).
@pytest.mark.parametrize(
    ("key", "message", "digest"),
    [
        (
            b"\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            b"\xaa" * 20,
            b"\xdd" * 50,
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            bytes(range(1, 26)),
            b"\xcd" * 50,
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
        (
            b"\xaa" * 131,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            b"\xaa" * 131,
            (
                b"This is a test using a larger than block-size key and a larger than block-size"
                b" data. The key needs to be hashed before being used by the HMAC algorithm."
            ),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ],
)
def test_hmac_is_that_of_the_rfc(
    conn: psycopg.Connection, key: bytes, message: bytes, digest: str
) -> None:
    assert value(conn, "select evervec.hmac_sha256(%s, %s)", message, key).hex() == digest


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 1000])
def test_hmac_takes_keys_of_any_length(conn: psycopg.Connection, length: int) -> None:
    key = bytes(n % 256 for n in range(length))
    expected = hmac.digest(key, b"\x00\xff", "sha256")
    assert value(conn, "select evervec.hmac_sha256(%s, %s)", b"\x00\xff", key) == expected


def test_a_signature_is_what_the_manual_says(ringing: psycopg.Connection) -> None:
    secret = value(ringing, "select * from evervec.secret_values('ring')")
    ring = signed(ringing)
    message = f"{ring.timestamp}.{ring.nonce}.".encode() + BODY
    expected = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    assert ring.signature == f"v1={expected}"
    assert abs(ring.timestamp - time.time()) < 60


def test_a_ring_is_believed(ringing: psycopg.Connection) -> None:
    assert [checked(ringing, signed(ringing)) for _ in range(3)] == ["ok"] * 3
    assert checked(ringing, signed(ringing, b"")) == "ok"


def test_a_replayed_ring_is_not(ringing: psycopg.Connection) -> None:
    ring = signed(ringing)
    assert [checked(ringing, ring) for _ in range(3)] == ["ok", "replayed", "replayed"]


def test_a_nonce_is_good_once_whatever_is_signed_with_it(ringing: psycopg.Connection) -> None:
    ring = signed(ringing)
    assert checked(ringing, ring) == "ok"
    again = replace(ring, timestamp=ring.timestamp + 1, body=b"other")
    assert checked(ringing, resigned(ringing, again)) == "replayed"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"body": b'{"evervec": "rang"}'}, id="another body"),
        pytest.param({"body": b""}, id="no body"),
        pytest.param({"nonce": "0" * 32}, id="another nonce"),
        pytest.param({"nonce": None}, id="no nonce"),
        pytest.param({"timestamp": 0}, id="another time"),
        pytest.param({"timestamp": -(2**63)}, id="before all time"),
        pytest.param({"timestamp": None}, id="no time"),
        pytest.param({"signature": "v1=" + "0" * 64}, id="another signature"),
        pytest.param({"signature": ""}, id="an empty signature"),
        pytest.param({"signature": "v1="}, id="no digest"),
        pytest.param({"signature": None}, id="no signature"),
        pytest.param({"signature": "v1=ä\n'"}, id="no hexadecimal digits"),
    ],
)
def test_a_wrong_or_missing_part_is_bad_and_nothing_is_kept(
    ringing: psycopg.Connection, change: dict[str, object]
) -> None:
    ring = signed(ringing)
    assert checked(ringing, replace(ring, **change)) == "bad"  # type: ignore[arg-type]
    assert nonces(ringing) == 0
    assert checked(ringing, ring) == "ok"


@pytest.mark.parametrize("kept", [3, 4, 35, 66])
def test_a_truncated_signature_is_bad(ringing: psycopg.Connection, kept: int) -> None:
    ring = signed(ringing)
    assert checked(ringing, replace(ring, signature=ring.signature[:kept])) == "bad"
    assert checked(ringing, replace(ring, signature=ring.signature + "0")) == "bad"
    assert nonces(ringing) == 0


def test_without_a_secret_every_ring_is_bad_and_none_is_signed(conn: psycopg.Connection) -> None:
    ring = Ring(int(time.time()), "0" * 32, BODY, "")
    for secret in ("", "ring"):
        fields = (ring.timestamp, ring.nonce, ring.body)
        guess = replace(ring, signature=value(conn, SIGN, secret, *fields))
        assert checked(conn, guess) == "bad"
    with raises(conn, "VE410", "there is no secret"):
        signed(conn)


@pytest.mark.parametrize(
    ("seconds", "answer"),
    [(-310, "expired"), (-290, "ok"), (290, "ok"), (310, "expired"), (2**62, "expired")],
)
def test_a_ring_is_good_for_five_minutes(
    ringing: psycopg.Connection, seconds: int, answer: str
) -> None:
    ring = signed(ringing)
    dated = resigned(ringing, replace(ring, timestamp=ring.timestamp + seconds))
    assert checked(ringing, dated) == answer
    assert nonces(ringing) == (answer == "ok")


@pytest.mark.parametrize("nonce", ["", "short", "0" * 65, "a.b.c.d.e.f.g.h.i", "0" * 31 + "\n"])
def test_a_nonce_has_one_form(ringing: psycopg.Connection, nonce: str) -> None:
    assert checked(ringing, resigned(ringing, replace(signed(ringing), nonce=nonce))) == "bad"


def test_what_was_signed_as_body_cannot_be_moved_into_the_nonce(
    ringing: psycopg.Connection,
) -> None:
    ring = signed(ringing, b"0123456789abcdef.rest")
    assert checked(ringing, ring) == "ok"
    moved = replace(ring, nonce=f"{ring.nonce}.0123456789abcdef", body=b"rest")
    assert checked(ringing, moved) == "bad"


def test_of_two_at_once_with_one_nonce_one_passes(ringing: psycopg.Connection, url: str) -> None:
    ring = signed(ringing)
    with sessions(url) as two:
        first, second = two.begin(), two.open()
        assert checked(first, ring) == "ok"
        later = in_thread(lambda: checked(second, ring))
        two.wait_until_blocked(second, by=first)
        first.commit()
        assert later.result() == "replayed"


def test_a_nonce_of_a_call_that_was_rolled_back_is_still_good(
    ringing: psycopg.Connection,
) -> None:
    ring = signed(ringing)
    with ringing.transaction(force_rollback=True):
        assert checked(ringing, ring) == "ok"
    assert checked(ringing, ring) == "ok"


def test_rotation_leaves_no_gap(ringing: psycopg.Connection) -> None:
    former = [signed(ringing) for _ in range(2)]
    ringing.execute("select evervec.rotate_secret()")
    assert checked(ringing, signed(ringing)) == "ok"
    assert checked(ringing, former[0]) == "ok"

    ringing.execute("select evervec.rotate_secret()")
    assert checked(ringing, former[1]) == "ok"
    assert checked(ringing, signed(ringing)) == "ok"
    assert value(ringing, "select count(distinct value) from evervec.secret") == 3


def test_after_the_overlap_the_former_secret_is_no_good(ringing: psycopg.Connection) -> None:
    former = signed(ringing)
    ringing.execute("select evervec.rotate_secret()")
    ringing.execute("update evervec.secret set retires_at = now() where retires_at is not null")
    assert checked(ringing, former) == "bad"
    assert checked(ringing, signed(ringing)) == "ok"


def test_without_an_overlap_nothing_is_left_of_the_former_secret(
    ringing: psycopg.Connection,
) -> None:
    former = signed(ringing)
    ringing.execute("select evervec.rotate_secret('0')")
    assert checked(ringing, former) == "bad"
    assert checked(ringing, signed(ringing)) == "ok"
    assert value(ringing, "select count(*) from evervec.secret") == 1


def test_a_ring_is_signed_while_the_secret_is_rotated(
    ringing: psycopg.Connection, url: str
) -> None:
    with sessions(url) as two:
        rotating = two.begin()
        rotating.execute("select evervec.rotate_secret()")
        ring = signed(ringing)
        assert checked(ringing, signed(ringing)) == "ok"
        rotating.commit()
        assert checked(ringing, ring) == "ok"


def test_two_rotations_at_once_follow_one_another(ringing: psycopg.Connection, url: str) -> None:
    with sessions(url) as two:
        first, second = two.begin(), two.open()
        first.execute("select evervec.rotate_secret()")
        later = in_thread(lambda: second.execute("select evervec.rotate_secret()"))
        two.wait_until_blocked(second, by=first)
        first.commit()
        later.result()
    good = "select count(*) from evervec.secret_values('ring')"
    assert value(ringing, good) == 3
    assert checked(ringing, signed(ringing)) == "ok"


@pytest.mark.parametrize("overlap", [None, "-1 second", "2 days"])
def test_an_overlap_has_bounds(ringing: psycopg.Connection, overlap: str | None) -> None:
    with raises(ringing, "VE111", "the former secret"):
        ringing.execute("select evervec.rotate_secret(%s::interval)", [overlap])


def test_nonces_and_former_secrets_are_forgotten_after_their_time(
    ringing: psycopg.Connection,
) -> None:
    ring = signed(ringing)
    assert checked(ringing, ring) == "ok"
    ringing.execute("select evervec.rotate_secret()")
    forget = """select sum(c.removed) filter (where c.kind = 'ring_nonce'),
                       sum(c.removed) filter (where c.kind = 'secret')
                  from evervec.cleanup_expired() c"""
    ringing.execute("update evervec.ring_nonce set seen_at = now() - interval '599 seconds'")
    assert ringing.execute(forget).fetchone() == (0, 0)

    ringing.execute("update evervec.ring_nonce set seen_at = now() - interval '601 seconds'")
    ringing.execute("update evervec.secret set retires_at = now() where retires_at is not null")
    assert ringing.execute(forget).fetchone() == (1, 1)
    assert checked(ringing, signed(ringing)) == "ok"
