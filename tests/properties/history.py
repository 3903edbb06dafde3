"""A random history of one tracked table: an application's session and a worker's, step by step.

All in one thread: neither ever waits for the other, or a step would hang. That is part of the test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from hypothesis import strategies as st

from tests.properties.shapes import STORAGES, Categories, Key, Recipe
from tests.support.in_step import digest, reconcile
from tests.support.sql_worker import Row, claim, rows, toy_vector

KeyValue = tuple[Any, ...]

TITLES = (None, "", " ", "Alpha", "beta", "Ä {x} $1 %s 'q'")
LONG_TEXTS = (None, " ", "one", "two")


@dataclass(frozen=True)
class Step:
    """What happens, and numbers that choose among keys, texts and claims."""

    kind: str
    a: int
    b: int
    c: int
    bypass: bool

    def __repr__(self) -> str:
        return f"{self.kind}({self.a}, {self.b}, {self.c}{', bypass' if self.bypass else ''})"


WRITES = (
    "insert", "insert many", "upsert", "merge", "delete returning", "update text", "update many",
    "update other column", "update nothing", "want", "delete", "delete many", "change key",
    "truncate", "recategorise", "rename category", "clear vector", "delete and insert",
)  # fmt: skip
TRANSACTIONS = (
    "begin",
    "commit",
    "rollback",
    "savepoint",
    "rollback to savepoint",
    "failing statement",
)
WORK = ("claim", "complete", "expire leases", "crash", "tick", "reconcile slice")

# How often each is drawn; what is not named: once.
WEIGHTS = {
    "insert": 2, "insert many": 2, "update text": 5, "update many": 2, "delete": 2, "change key": 4,
    "want": 2, "rename category": 2,
    "savepoint": 2, "commit": 2, "rollback to savepoint": 2, "claim": 8, "complete": 6,
}  # fmt: skip


# TRUNCATE and reconcile compare the whole table, which hides what was overlooked: not always.
KINDS = {
    "plain": set(WRITES + TRANSACTIONS + WORK) - {"truncate", "reconcile slice"},
    "truncating": set(WRITES + TRANSACTIONS + WORK) - {"reconcile slice"},
    "bypassing": set(WRITES + TRANSACTIONS + WORK),
}


@st.composite
def histories(draw: st.DrawFn) -> tuple[str, list[Step]]:
    """A kind of history, and 30 to 50 steps."""
    kind = draw(st.sampled_from(["plain", "plain", "truncating", "bypassing"]))
    number = st.integers(0, 11)
    weighted = [
        k
        for k in WRITES + TRANSACTIONS + WORK
        if k in KINDS[kind]
        for _ in range(WEIGHTS.get(k, 1))
    ]
    step = st.builds(
        Step,
        kind=st.sampled_from(weighted),
        a=number,
        b=number,
        c=number,
        bypass=st.integers(0, 9).map(lambda n: n == 9) if kind == "bypassing" else st.just(False),
    )
    return kind, draw(st.lists(step, min_size=30, max_size=50))


@dataclass
class History:
    """The run of a history and, worked out beside it, what the texts sent may have cost."""

    writer: psycopg.Connection
    worker: psycopg.Connection
    key: Key
    recipe: Recipe
    storage: str
    isolation: str
    counts: Counter[str]
    claims: list[list[Row]] = field(default_factory=list)
    open: bool = False
    truncated: bool = False  # by the open transaction
    savepoints: list[int] = field(default_factory=list)  # length of forgotten at each
    forgotten: list[KeyValue | None] = field(
        default_factory=list
    )  # deleted by the open transaction; None: all
    present: list[KeyValue] = field(default_factory=list)  # keys of rows, as committed
    texts: dict[KeyValue, str] = field(default_factory=dict)  # likewise
    embedded: dict[KeyValue, str] = field(default_factory=dict)  # last embedded for a key
    changes: int = 0  # committed, each gave a row a text other than the last embedded
    sent: int = 0
    wasted: int = 0  # sent again: the worker crashed or lost its lease, or a user held the row
    unseen: bool = False

    # ---- the table --------------------------------------------------------------------------

    def start(self) -> None:
        """Create and track the table."""
        ddl = ", ".join(f"{name} {kind}" for name, kind in self.key.ddl.items())
        self.writer.execute(f"set default_transaction_isolation = '{self.isolation}'")
        self.worker.execute(
            f"""
            create table thing (
                {ddl}, title text, long_text text, wanted boolean not null default true,
                category_id int, other int not null default 0, primary key ({self.key.columns}));
            truncate category; insert into category values (0, 'zero'), (1, 'one'), (2, null);
            """
        )
        self.write(Step("insert many", 0, 3, 2, bypass=False))
        self.write(Step("insert many", 1, 4, 3, bypass=False))
        self.worker.execute(
            f"select evervec.track('thing', {self.recipe.arguments}, p_model => 'toy',"
            f" p_index => 'none' {STORAGES[self.storage]})"
        )

    def end(self) -> None:
        """Remove every trace, whatever happened."""
        if not self.writer.closed:
            self.writer.execute("rollback")
            self.writer.execute("reset evervec.bypass")
        self.worker.execute(
            "select evervec.untrack('thing', true) from evervec.source where name = 'thing'"
        )
        self.worker.execute(
            "drop table if exists thing, thing_embedding; delete from evervec.change_log"
        )

    # ---- steps ------------------------------------------------------------------------------

    def run(self, step: Step) -> None:
        """One step; one that makes no sense now does nothing and is counted as skipped."""
        method: Callable[[Step], bool | None] = getattr(
            self, step.kind.replace(" ", "_"), self.write
        )
        done = method(step)
        self.counts[step.kind if done is not False else f"{step.kind} (skipped)"] += 1

    def write(self, step: Step) -> bool:
        """One statement of the application."""
        statement, parameters = self.statement(step)
        if not statement:
            return False
        if step.bypass:
            self.writer.execute("set evervec.bypass = on")
        try:
            cursor = self.writer.execute(statement, parameters)
        except psycopg.errors.SerializationFailure:
            # The worker's write into the application's own row, or ON DELETE CASCADE. Never else.
            assert self.storage != "table"
            assert self.isolation != "read committed"
            self.counts["serialization failures (column, foreign key)"] += 1
            self.give_up()
            return True
        else:
            if step.bypass:
                self.counts["writes that bypass triggers"] += 1
                self.unseen = True
                self.writer.execute("set evervec.bypass = off")
        if step.kind == "truncate":
            self.forgotten.append(None)
            self.truncated = self.open
        elif cursor.description:
            self.forgotten += cursor.fetchall()
        if not self.open:
            self.committed()
        return True

    def delete_and_insert(self, step: Step) -> bool:
        """The same key goes and comes back, with another text or none, in one transaction."""
        began = self.begin(step)
        for kind in ("delete", "insert again"):
            self.write(replace(step, kind=kind))
        if began and self.open:
            self.commit(step)
        return True

    def statement(self, step: Step) -> tuple[str, list[Any]]:
        """SQL and parameters of a write; its result: keys that have nothing embedded any more."""
        keys = self.key.values
        free = [key for key in keys if key not in self.present] or keys
        old, new = keys[step.a % len(keys)], keys[step.b % len(keys)]
        # Mostly rows that are there, and keys that are not, or most steps would change nothing.
        if self.present and step.kind not in ("insert", "insert many") and step.c % 4:
            old = self.present[step.a % len(self.present)]
        if step.kind == "change key" and step.c % 4:
            new = free[step.b % len(free)]
        title, long_text = TITLES[step.b % len(TITLES)], LONG_TEXTS[step.c % len(LONG_TEXTS)]
        columns, holes = self.key.columns, ", ".join(["%s"] * len(old))
        here = f"({columns}) = ({holes})"
        insert = f"insert into thing ({columns}, title, long_text, category_id) values "
        row = f"({holes}, %s, %s, %s)"
        values = [*old, title, long_text, step.c % 4]
        second = [*new, TITLES[step.c % len(TITLES)], long_text, step.a % 4]
        match step.kind:
            case "insert" | "insert again":
                return f"{insert}{row} on conflict do nothing", values
            case "insert many":
                return f"{insert}{row}, {row} on conflict do nothing", values + second
            case "upsert":
                return (
                    f"{insert}{row} on conflict ({columns}) do update set title = excluded.title",
                    values,
                )
            case "merge":
                on = " and ".join(f"t.{column} = v.{column}" for column in self.key.ddl)
                given = ", ".join(f"%s::{kind} as {name}" for name, kind in self.key.ddl.items())
                statement = f"""
                    merge into thing t using (select {given}, %s::text as title) v on {on}
                     when matched then update set title = v.title
                     when not matched then insert ({columns}, title)
                          values ({", ".join(f"v.{column}" for column in self.key.ddl)}, v.title)
                    """
                return statement, [*old, title]
            case "update text":
                return f"update thing set title = %s, long_text = %s where {here}", [
                    title,
                    long_text,
                    *old,
                ]
            case "update many":
                return "update thing set title = %s where wanted or other > 0", [title]
            case "update other column":
                return "update thing set other = other + 1", []
            case "update nothing":
                return "update thing set title = title, wanted = wanted", []
            case "want":
                return f"update thing set wanted = not wanted where {here}", list(old)
            case "delete":
                return f"delete from thing where {here} returning {columns}", list(old)
            case "delete many":
                return f"delete from thing where other %% 2 = %s returning {columns}", [step.a % 2]
            case "change key":
                before = ", ".join(f"(select b.{column} from before b)" for column in self.key.ddl)
                statement = f"""
                    with before as (select {columns} from thing where {here})
                    update thing set ({columns}) = row({holes})
                     where {here} and not exists (select from thing where {here})
                    returning {before}
                    """
                return statement, [*old, *new, *old, *new]
            case "truncate":
                # A foreign key of ours makes PostgreSQL ask for CASCADE: documented.
                return f"truncate thing {'cascade' if self.storage == 'foreign key' else ''}", []
            case "recategorise":
                return f"update thing set category_id = %s where {here}", [step.c % 4, *old]
            case "rename category" if self.recipe.joined:
                statement = (
                    "insert into category values (%s, %s)"
                    " on conflict (id) do update set name = excluded.name"
                )
                return statement, [step.a % 4, (None, "one", "other")[step.b % 3]]
            case "clear vector" if self.storage == "column":
                return f"update thing set embedding = null where {here} returning {columns}", list(
                    old
                )
            case "delete returning":
                statement = f"""
                    with gone as (delete from thing where {here} returning *)
                    select {columns} from gone
                    """
                return statement, list(old)
        return "", []

    # ---- transactions -----------------------------------------------------------------------

    def begin(self, _step: Step) -> bool:
        if self.open:
            return False
        self.writer.execute("begin")
        self.open = True
        return True

    def commit(self, _step: Step) -> bool:
        if not self.open:
            return False
        try:
            self.writer.execute("commit")
        except psycopg.errors.SerializationFailure:
            assert self.storage != "table"
            self.give_up()
            return True
        self.open = self.truncated = False
        self.savepoints.clear()
        self.committed()
        return True

    def rollback(self, _step: Step) -> bool:
        if not self.open:
            return False
        self.give_up()
        return True

    def give_up(self) -> None:
        """Roll the open transaction back."""
        self.writer.execute("rollback")
        self.writer.execute("set evervec.bypass = off")
        self.open = self.truncated = False
        self.savepoints.clear()
        self.forgotten.clear()

    def savepoint(self, _step: Step) -> bool:
        self.begin(_step)
        self.writer.execute("savepoint s")
        self.savepoints.append(len(self.forgotten))
        return True

    def rollback_to_savepoint(self, _step: Step) -> bool:
        if not self.savepoints:
            return False
        self.writer.execute("rollback to savepoint s")
        del self.forgotten[self.savepoints[-1] :]
        self.truncated = None in self.forgotten
        return True

    def failing_statement(self, _step: Step) -> bool:
        """Many rows change, then the statement fails: nothing of it counts."""
        if self.open:
            self.writer.execute("savepoint f")
        try:
            self.writer.execute(
                "with u as (update thing set title = 'never' returning other)"
                " select 1 / (sum(other) * 0) from u"
            )
        except psycopg.errors.DivisionByZero:
            pass
        except psycopg.errors.SerializationFailure:
            assert self.storage == "column"
        if self.open:
            self.writer.execute("rollback to savepoint f; release savepoint f")
        return True

    def committed(self) -> None:
        """Look at what is true now, and count the changes that may cost a text."""
        for key in self.forgotten:
            if key is None:
                self.embedded.clear()
            else:
                self.embedded.pop(key, None)
        before = {} if None in self.forgotten else self.texts
        now = self.texts_now()
        for key, text in now.items():
            if (before.get(key) != text or key in self.forgotten) and self.embedded.get(
                key
            ) != text:
                self.changes += 1
        self.texts = now
        self.forgotten.clear()

    def texts_now(self) -> dict[KeyValue, str]:
        """The text of every committed row that has one, worked out here."""
        categories: Categories = dict(self.worker.execute("select id, name from category"))
        found = rows(self.worker, "select * from thing order by 1")
        self.present = [self.key.of(row) for row in found]
        texts = {self.key.of(row): self.recipe.text(row, categories) for row in found}
        return {key: text for key, text in texts.items() if text is not None}

    # ---- the worker -------------------------------------------------------------------------

    def claim(self, step: Step) -> bool:
        if self.truncated:
            return False  # claim_jobs would wait for the table: see tests/concurrency
        self.take(1 + step.a)
        return True

    def take(self, limit: int) -> None:
        """Claim, account for it, and keep it for later."""
        before = self.vectors()
        # A half of the workers knows no cache: otherwise hardly a text would ever be sent.
        jobs = claim(self.worker, limit, cached=limit % 2 == 0)
        for job in jobs:
            key = self.key_of(job)
            if job["state"] in ("embed", "cached"):
                self.sent += 1
                self.counts["texts sent" if job["state"] == "embed" else "texts cached"] += 1
                job["text"] = self.texts[key]
                assert job["content"] == (job["text"] if job["state"] == "embed" else None)
                assert job["content_hash"] == digest(job["text"]) != before.get(key), (
                    "sent needlessly"
                )
            elif job["state"] in ("empty", "gone"):
                self.embedded.pop(key, None)
            assert job["state"] != "failed", job
        needy = [job for job in jobs if job["state"] in ("embed", "cached")]
        if needy:
            self.claims.append(needy)

    def complete(self, step: Step) -> bool:
        """A claim of earlier, or of now, is completed."""
        if self.truncated:
            return False
        if not self.claims:
            self.take(1 + step.b)
        if not self.claims:
            return False
        jobs = self.claims.pop(step.a % len(self.claims))
        before = self.vectors()
        outcomes = self.outcomes(jobs)
        after = self.vectors()
        for job, outcome in zip(jobs, outcomes, strict=True):
            key = self.key_of(job)
            self.counts[f"outcome: {outcome}"] += 1
            if after.get(key) not in (None, before.get(key)):
                assert after[key] == digest(self.texts[key]), "an older result replaced a newer one"
            if outcome == "completed":
                assert job["text"] == self.texts[key]
                self.embedded[key] = job["text"]
            elif outcome in ("lost", "locked"):
                self.wasted += 1
        return True

    def key_of(self, job: Row) -> KeyValue:
        return tuple(job["row_key"][column] for column in self.key.ddl)

    def outcomes(self, jobs: list[Row]) -> list[str]:
        found = {
            row["job_id"]: row["outcome"]
            for row in rows(
                self.worker,
                "select * from evervec.complete_jobs(%s, %s, %s::vector[])",
                jobs[0]["lease_token"],
                [job["job_id"] for job in jobs],
                [toy_vector(job["content"]) if job["content"] else None for job in jobs],
            )
        }
        return [found[job["job_id"]] for job in jobs]

    def expire_leases(self, _step: Step) -> bool:
        if not self.claims:
            return False
        self.worker.execute(
            "update evervec.processing_queue set lease_expires_at = now() - interval '1 s'"
            " where status = 'processing'"
        )
        return True

    def crash(self, step: Step) -> bool:
        """A worker vanishes with what it had claimed; the others notice when its leases expire."""
        if not self.claims:
            return False
        jobs = self.claims.pop(step.a % len(self.claims))
        self.wasted += len(jobs)
        self.worker.execute(
            "update evervec.processing_queue set lease_expires_at = now() - interval '1 s'"
            " where lease_token = %s",
            [jobs[0]["lease_token"]],
        )
        return True

    def tick(self, _step: Step) -> None:
        self.worker.execute("select evervec.tick()")

    def reconcile_slice(self, step: Step) -> bool:
        if self.truncated:
            return False
        self.worker.execute("select evervec.reconcile('thing', %s)", [1 + step.a])
        return True

    # ---- the end ----------------------------------------------------------------------------

    def settle(self) -> None:
        """Let everything come to rest, as workers would."""
        if self.open:
            self.commit(Step("commit", 0, 0, 0, bypass=False))
        while self.claims:
            self.complete(Step("complete", 0, 0, 0, bypass=False))
        self.drain()
        if self.unseen:
            reconcile(self.worker, "thing")
            self.drain()

    def drain(self) -> None:
        for _ in range(200):
            self.worker.execute(
                "update evervec.processing_queue set available_at = now() - interval '1 s'"
                " where available_at > now()"
            )
            self.take(100)
            while self.claims:
                self.complete(Step("complete", 0, 0, 0, bypass=False))
            if not any(rows(self.worker, "select * from evervec.pending()")[0].values()):
                return
        raise AssertionError(
            f"never drained: {rows(self.worker, 'select * from evervec.processing_queue')}"
        )

    def vectors(self) -> dict[KeyValue, bytes]:
        """key → content hash of every vector."""
        if self.storage == "column":
            query = (
                f"select {self.key.columns}, embedding_hash from thing where embedding is not null"
            )
        else:
            query = f"select {self.key.columns}, content_hash from thing_embedding"
        return {tuple(row[:-1]): row[-1] for row in self.worker.execute(query).fetchall()}

    def check(self) -> None:
        """What must hold after everything came to rest."""
        texts = self.texts_now()
        assert self.vectors() == {key: digest(text) for key, text in texts.items()}
        assert self.sent - self.wasted <= self.changes, (
            f"{self.sent} texts sent, {self.wasted} of them again, for {self.changes} changes"
        )
