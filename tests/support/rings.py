"""Rings as the database signs them, and as a webhook has them checked."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import psycopg

from tests.support.sql_worker import rows, value

BODY = b'{"evervec": "ring"}'


@dataclass(frozen=True)
class Ring:
    """What a webhook receives, in the order of check_ring's parameters."""

    timestamp: int
    nonce: str
    body: bytes
    signature: str


def signed(conn: psycopg.Connection, body: bytes = BODY) -> Ring:
    """A ring as the database sends it."""
    (row,) = rows(conn, 'select "timestamp", nonce, signature from evervec.sign_ring(%s)', body)
    return Ring(row["timestamp"], row["nonce"], body, row["signature"])


def checked(conn: psycopg.Connection, ring: Ring) -> str:
    """What the database says of it."""
    return str(value(conn, "select evervec.check_ring(%s, %s, %s, %s)", *astuple(ring)))
