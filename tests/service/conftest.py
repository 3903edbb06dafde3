"""What the tests of the webhook share: the application on the test's database, and its tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient

from evervec.app import create_app
from evervec.config import Config
from evervec.providers import Providers
from evervec.service.state import State
from tests.support.openai_server import DIMENSIONS
from tests.webhook.conftest import SQL_ADD_MODEL, WordsProvider

CRON_SECRET = "a scheduler's secret"


@dataclass
class Webhook:
    """The application in this process, asked with a token of scope admin unless told otherwise.

    account  the provider that is asked on behalf of globex
    """

    conn: psycopg.Connection
    client: FlaskClient
    state: State
    provider: WordsProvider
    account: WordsProvider
    headers: Mapping[str, str] = field(default_factory=dict)

    def token(self, *scopes: str, tenant: str | None = None) -> Mapping[str, str]:
        """The headers of a fresh token."""
        name = f"{'-'.join(scopes)} {tenant or ''}".strip()
        made = self.conn.execute(
            "select evervec.create_token(%s, %s::text[], %s)", [name, list(scopes), tenant]
        ).fetchone()
        return {"Authorization": f"Bearer {made[0] if made else ''}"}

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(f"/v1{path}", **{"headers": self.headers} | options)

    def post(self, path: str, json: object = None, **options: Any) -> Any:
        return self.client.post(f"/v1{path}", json=json, **{"headers": self.headers} | options)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.conn.execute(sql.encode()).fetchall()


@pytest.fixture
def webhook(conn: psycopg.Connection, url: str) -> Iterator[Webhook]:
    """Ten notes, tracked and not embedded, with a filter by owner: ann has 2, 3 and 4."""
    conn.execute(SQL_ADD_MODEL, [DIMENSIONS])
    conn.execute(
        """
        create table note (id int primary key, body text, owner text);
        insert into note select g, 'note about number' || g, case when g in (2, 3, 4) then 'ann' end
          from generate_series(1, 10) g;
        select evervec.rotate_secret();
        select evervec.track('note', '{body}', p_model => 'words');
        select evervec.add_filter('note', 'library', 'owner = p_owner', '{p_owner text}');
        """
    )
    provider = WordsProvider()
    profile = WordsProvider()
    providers = Providers(tenants={"alice": "words", "globex": "account"})
    providers.register("words", lambda *_, **__: provider)
    providers.register("account", lambda *_, **__: profile)
    config = Config(
        database_url=url,
        worker_name="webhook",
        cron_secret=CRON_SECRET,
        max_texts=5,
        max_rows=100,
        max_seconds=5,
    )
    app = create_app(config, providers=providers)
    state: State = app.extensions["evervec"]
    found = Webhook(conn, app.test_client(), state, provider, profile)
    found.headers = found.token("admin")
    yield found
    state.close()
