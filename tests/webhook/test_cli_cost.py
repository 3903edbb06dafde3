"""evervec cost, budget, egress and backfill --dry-run, and workers with a spent budget."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import psycopg
import pytest

from evervec.errors import EvervecError
from tests.support.openai_server import OpenAIServer
from tests.support.sql_worker import add_toy_model, rows, value
from tests.webhook.conftest import Program, Service
from tests.webhook.test_worker import Running, wait_for

ROWS = [(n, f"title {n}", "body") for n in range(1, 6)]


@pytest.fixture
def film(conn: psycopg.Connection) -> psycopg.Connection:
    """film(id, title, year), tracked, ten rows to do, at 2 a million tokens."""
    add_toy_model(conn)
    conn.execute(
        """
        update evervec.model set price_per_million_tokens = 2 where name = 'toy';
        create table film (id integer primary key, title text, year integer);
        insert into film select g, 'Film ' || g, 1990 + g from generate_series(1, 10) g;
        select evervec.track('film', '{title}', p_model => 'toy', p_backfill => false);
        """
    )
    return conn


def spend(
    conn: psycopg.Connection, tokens: int, *, source: str = "film", days_ago: int = 0
) -> None:
    counts = [{"source": source, "model": "toy", "embedded": 3, "requests": 1, "tokens": tokens}]
    conn.execute("select evervec.log_batch('w', %s)", [json.dumps(counts)])
    conn.execute(
        "update evervec.spending set day = day - %s"
        " where source = %s and day = (now() at time zone 'UTC')::date",
        [days_ago, source],
    )


# -- cost ------------------------------------------------------------------------------------------


def test_cost_has_a_line_a_day_and_source_and_a_total(
    program: Program, film: psycopg.Connection
) -> None:
    spend(film, 1_000_000, days_ago=1)
    spend(film, 500_000)
    spend(film, 250, source="gone")

    done = program.run("cost")

    assert (done.code, done.err) == (0, "")
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[0][:3] == ["day", "source", "model"]
    assert lines[1][:4] == [str(datetime.now(UTC).date()), "film", "toy", "1"]
    assert lines[3][-2:] == ["1,000,000", "2.00"]
    assert lines[-1] == ["total", "3", "9", "0", "0", "0", "1,500,250", "3.00"]


def test_cost_of_some_days_and_of_one_source(program: Program, film: psycopg.Connection) -> None:
    spend(film, 1_000_000, days_ago=1)
    spend(film, 500_000)
    spend(film, 250, source="gone")

    today = json.loads(program.run("cost", "--days", "1", "--json").out)
    gone = json.loads(program.run("cost", "--source", "gone", "--json").out)

    assert [(row["source"], row["cost"]) for row in today] == [("film", 1.0), ("gone", 0.0005)]
    assert [(row["source"], row["texts"]) for row in gone] == [("gone", 3)]


def test_cost_of_nothing(program: Program, film: psycopg.Connection) -> None:
    assert program.run("cost").out.startswith("Nothing since ")
    assert json.loads(program.run("cost", "--json").out) == []


# -- budget ----------------------------------------------------------------------------------------


def test_a_budget_is_set_listed_and_removed(program: Program, film: psycopg.Connection) -> None:
    assert "There are no budgets" in program.run("budget", "list").out
    said = program.run("budget", "set", "--source", "film", "--tokens", "1000")
    assert said.out == "The budget of source film is 1,000 tokens a day.\n"
    assert program.run("budget", "set", "--model", "toy", "--cost", "0.001").code == 0
    spend(film, 600)

    listed = program.run("budget", "list").out.splitlines()
    machine = json.loads(program.run("budget", "list", "--json").out)

    # The model's is spent: 600 tokens cost 0.0012.
    cells = ["model", "toy", "–", "–", "–", "0.001", "0.0012", "0.00", "spent"]
    assert listed[1].split()[:9] == cells
    assert listed[2].split() == ["source", "film", "1,000", "600", "400", "–", "–", "–"]
    assert [(row["source"], row["tokens_today"], row["spent"]) for row in machine] == [
        (None, 600, True),
        ("film", 600, False),
    ]
    assert program.run("budget", "remove", "--model", "toy").code == 0
    assert len(json.loads(program.run("budget", "list", "--json").out)) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("set --tokens 5", 2, "Give --model, or --source."),
        ("set --model toy --source film --tokens 5", 2, "Give --model, or --source."),
        ("set --source film", 2, "Give --tokens, or --cost"),
        ("set --source film --tokens 0", 2, "0 is not in the range"),
        ("set --source film --cost much", 2, "'much' is not a number"),
        ("set --source film --cost nan", 2, "'nan' is not a sum of money"),
        ("set --source nothing --tokens 5", 1, "VE101"),
        ("set --model local --cost 5", 1, "VE111: nobody knows what model"),
        ("remove", 2, "Give --model, or --source."),
        ("remove --model nothing", 1, "VE108"),
    ],
)
def test_a_bad_budget_is_told_in_a_sentence(
    program: Program, film: psycopg.Connection, arguments: str, code: int, message: str
) -> None:
    done = program.run("budget", *arguments.split())

    assert done.code == code
    assert message in done.err
    assert "Traceback" not in done.err


# -- workers with a spent budget -------------------------------------------------------------------


def test_draining_ends_with_a_message_when_all_that_is_left_waits_for_a_budget(
    service: Service,
) -> None:
    service.track(rows=ROWS)
    service.conn.execute("create table other (id int primary key, a text)")
    service.conn.execute("insert into other values (1, 'x')")
    service.db.track("other", columns=["a"], model="words")
    service.db.set_budget(source="note", tokens=2)
    worker = service.worker()
    service.batch(batch_size=2)
    assert service.value("select spent from evervec.budget_status") is True

    with pytest.raises(EvervecError, match=r"budget is spent: about [\d,]+ rows of note wait"):
        worker.drain()

    assert service.db.coverage("other").percent == 100
    assert service.db.coverage("note").embedded == 2


def test_draining_ends_well_when_nothing_waits_for_the_spent_budget(service: Service) -> None:
    service.track(rows=ROWS)
    service.db.set_budget(source="note", tokens=5)

    assert service.worker().drain().embedded == 5
    assert service.value("select spent from evervec.budget_status") is True
    assert service.worker().drain().embedded == 0


def test_a_running_worker_waits_quietly_and_goes_on_the_next_day(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.track(rows=ROWS)
    service.db.set_budget(source="note", tokens=1)
    service.worker().once()
    service.conn.execute("insert into note values (10, 'a', 'b')")
    service.conn.execute("create table other (id int primary key, a text)")
    service.conn.execute("insert into other values (1, 'x')")
    service.db.track("other", columns=["a"], model="words")

    with caplog.at_level("WARNING", "evervec"), Running(service):
        wait_for(lambda: service.db.coverage("other").percent == 100)
        assert service.vectors() == {1, 2, 3, 4, 5}
        service.conn.execute("update evervec.spending set day = day - 1")
        wait_for(lambda: service.vectors() == {1, 2, 3, 4, 5, 10})

    assert caplog.records == []


@pytest.mark.parametrize("command", [("worker", "--drain"), ("backfill", "film")])
def test_the_commands_fail_with_what_to_do_about_a_spent_budget(
    program: Program, film: psycopg.Connection, command: tuple[str, ...]
) -> None:
    program.run("budget", "set", "--model", "toy", "--tokens", "1")
    spend(film, 1)
    film.execute("analyze film; select evervec.backfill('film')")

    done = program.run(*command)

    assert done.code == 1
    assert "the day's budget is spent: about 10 rows of film wait for midnight UTC" in done.err
    assert "HINT:  evervec budget list" in done.err
    assert value(film, "select count(*) from film_embedding") == 0


# -- backfill --dry-run ----------------------------------------------------------------------------


def test_a_dry_run_tells_rows_tokens_and_money_and_queues_nothing(
    program: Program, film: psycopg.Connection
) -> None:
    before = rows(film, "select * from evervec.pending()")

    done = program.run("backfill", "film", "--dry-run")
    machine = json.loads(program.run("backfill", "film", "--dry-run", "--json").out)

    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "film has 10 rows; 10 have no vector.\nTo embed: about 30 tokens, cost 6e-05.\n"
    )
    assert machine == {
        "source": "film",
        "rows": 10,
        "missing": 10,
        "cached": 0,
        "tokens": 30,
        "cost": 0.00006,
        "sampled": False,
        "examined": 10,
    }
    assert rows(film, "select * from evervec.pending()") == before
    assert value(film, "select pass_kind from evervec.source") is None


def test_a_dry_run_says_that_it_sampled_and_what_the_cache_holds(
    program: Program, film: psycopg.Connection
) -> None:
    film.execute("insert into film select g, 'Film ' || g from generate_series(11, 20000) g")
    film.execute(
        "insert into evervec.embedding_cache (model_id, content_hash, embedding, source_id)"
        " select s.model_id, sha256(convert_to('Title: ' || title, 'UTF8')), '[1,2,3,4]', source_id"
        " from film, evervec.source s"
    )

    done = program.run("backfill", "film", "--dry-run")

    assert "come from the cache" in done.out
    assert "To embed: about 0 tokens, cost 0.00." in done.out
    assert "Estimated from a sample of " in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [("nothing --dry-run", 1, "VE101"), ("film --dry-run --no-wait", 2, "exclude one another")],
)
def test_a_bad_dry_run_is_told_in_a_sentence(
    program: Program, film: psycopg.Connection, arguments: str, code: int, message: str
) -> None:
    done = program.run("backfill", *arguments.split())
    assert (done.code, message in done.err) == (code, True)


def test_the_estimate_is_near_what_the_api_then_counts(
    program: Program, conn: psycopg.Connection, openai_server: OpenAIServer
) -> None:
    openai_server.count_tokens = lambda text: len(text.encode()) / 4
    conn.execute(
        """
        select evervec.add_model('wire', 'openai', 32, p_price_per_million_tokens => 100,
                                 p_input_limit => 60, p_document_prefix => 'search_document: ');
        create table note (id integer primary key, body text);
        insert into note select g, repeat(md5((g % 250)::text) || 'ü ', 1 + g % 11)
          from generate_series(1, 300) g;
        select evervec.track('note', '{body}', p_model => 'wire', p_backfill => false);
        insert into evervec.embedding_cache (model_id, content_hash, embedding, source_id)
        select s.model_id, sha256(convert_to('Body: ' || n.body, 'UTF8')), array_fill(1, '{32}'), 1
          from note n, evervec.source s
         where n.id <= 100;
        """
    )
    told = json.loads(program.run("backfill", "note", "--dry-run", "--json").out)

    environment = {"OPENAI_BASE_URL": openai_server.url, "OPENAI_API_KEY": "k"}
    done = program.run("backfill", "note", **environment)

    assert done.code == 0, done.err
    (paid,) = rows(conn, "select tokens, cost, cached from evervec.cost")
    assert told["tokens"] == pytest.approx(paid["tokens"], rel=0.1)
    assert told["cost"] == pytest.approx(float(paid["cost"]), rel=0.1)
    assert (told["missing"], told["cached"]) == (300, 100)
    assert told["tokens"] > 1000


# -- egress ----------------------------------------------------------------------------------------


def test_egress_tells_columns_and_the_host_and_never_the_key(
    program: Program, conn: psycopg.Connection
) -> None:
    conn.execute("create table film (id integer primary key, title text, year integer)")
    conn.execute("select evervec.add_model('remote', 'openai', 32)")
    conn.execute("select evervec.add_model('theirs', 'theirs', 32)")
    for model in ("remote", "local", "theirs"):
        conn.execute(
            "select evervec.track('film', '{title}', p_name => %s, p_model => %s)", [model, model]
        )
    url = "https://user:secret@embeddings.example.org:8443/v1?api-key=secret"
    environment = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "secret"}

    machine = program.run("egress", "--json", **environment)
    person = program.run("egress", **environment)
    default = program.run("egress", "--json")

    def hosts(out: str) -> dict[str, str | None]:
        return {row["source"]: row["host"] for row in json.loads(out)}

    expected = {"remote": "embeddings.example.org:8443", "local": None, "theirs": None}
    assert hosts(machine.out) == expected
    assert hosts(default.out)["remote"] == "api.openai.com"
    row = {r["source"]: r for r in json.loads(machine.out)}["remote"]
    assert (row["relation"], row["column_name"], row["leaves"]) == ("film", "title", True)
    lines = [line.split() for line in person.out.splitlines()]
    assert ["local", "film", "title", "local", "local", "stays", "here"] in lines
    assert ["theirs", "film", "title", "theirs", "theirs", "unknown"] in lines
    for done in (machine, person, default):
        assert "secret" not in done.out + done.err


def test_egress_of_nothing(program: Program, conn: psycopg.Connection) -> None:
    assert program.run("egress").out == "Nothing is sent anywhere.\n"
