"""The SQLSTATEs of evervec: registered in sql/README.md, declared in headers, told in comments."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tools.chain import ROOT, read_sql
from tools.statements import split, strip_comments

README = ROOT / "sql" / "README.md"
SQL = read_sql(ROOT / "sql")

# The state is a literal everywhere, so that this test can read it.
_RAISED = re.compile(r"errcode\s*=\s*'(VE\d{3})'")
_REGISTERED = re.compile(r"^\| `(VE\d{3})` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_RANGE = re.compile(r"VE(\d{3}) to VE(\d{3})")
_CALL = re.compile(r"evervec\.([a-z_]+)\s*\(")

# Calls in a HINT are advice, and so are those in a remedy: statements with their arguments put in.
_RAISE = re.compile(r"raise exception using.*?;\n|'select [^']*\(%[Ls][^']*;'", re.DOTALL)

# What generated search functions raise: it is only written into them.
_GENERATED = {
    "VE108",
    "VE201",
    "VE202",
    "VE204",
    "VE207",
    "VE211",
    "VE218",
    "VE219",
    "VE220",
    "VE424",
}

# What a call can raise in general, but not from this caller.
_NEVER = {
    "track": {
        "VE101",  # backfill(): of the source that it has just made
        "VE210",  # which has no filters yet
    }
    | (_GENERATED - {"VE108"}),
    "retrack": _GENERATED,
    "tune": _GENERATED,
    "build_index": _GENERATED | {"VE111"},  # cached_query(): of the kind that it is asked for
    "add_filter": _GENERATED | {"VE111"},  # cached_query(): of the kind that it is asked for
    "egress": {"VE104"},  # template_parts(): of a template that track has taken
    "alerts": {"VE101"},  # it asks about sources that there are
    "enqueue_task": {"VE213"},  # add_task names enqueue() in a DETAIL
    "configure_push": {"VE411"},  # it has revoked the token of that name
    "cache_query": {"VE204"},  # its limit is 0
    "find_similar_to": {"VE201"},  # its query is a vector of the source itself
    "search": {"VE108", "VE111"},  # the model is the source's own, and so is the kind
}

# What they call may raise, and they handle it.
_CATCH = {"follow_renames", "renew_signals", "run_task", "ring", "ring_once"}


def registered() -> dict[str, tuple[str, str]]:
    """SQLSTATE → meaning and remedy."""
    rows = _REGISTERED.findall(README.read_text())
    return {state: (meaning.strip(), remedy.strip()) for state, meaning, remedy in rows}


def raised(text: str) -> set[str]:
    """The states of ours that a piece of SQL raises itself."""
    return set(_RAISED.findall(text))


def told(text: str) -> set[str]:
    """The states that a comment or header names; `VE102 to VE104` means three of them."""
    ranges = [range(int(a), int(b) + 1) for a, b in _RANGE.findall(text)]
    return set(re.findall(r"VE\d{3}", text)) | {f"VE{n}" for r in ranges for n in r}


@cache
def comments() -> dict[str, str]:
    """Path under sql/ → the text of its COMMENT."""
    return {
        path: "".join(s for s in split(file.text) if strip_comments(s).startswith("comment on"))
        for path, file in SQL.items()
    }


@cache
def reachable(name: str) -> frozenset[str]:
    """The states that a function raises itself or through those of ours that it calls."""
    seen: set[str] = set()
    waiting = [name]
    found: set[str] = set()
    while waiting:
        current = waiting.pop()
        if current in seen or current in _CATCH or current not in _bodies():
            continue
        seen.add(current)
        found |= raised(_bodies()[current])
        waiting += _CALL.findall(_RAISE.sub("", _bodies()[current]))
    return frozenset(found - _NEVER.get(name, set()))


@cache
def _bodies() -> dict[str, str]:
    return {Path(p).stem: "".join(_code(f.text)) for p, f in SQL.items()}


def _code(text: str) -> list[str]:
    return [s for s in split(strip_comments(text)) if s.lstrip().startswith("create")]


PUBLIC = sorted(path for path, text in comments().items() if "$$Internal." not in text)


def test_every_state_that_is_raised_is_registered() -> None:
    files = [f for d in ("sql", "migrations") for f in (ROOT / d).rglob("*.sql")]
    assert set().union(*(raised(f.read_text()) for f in files)) == set(registered())


def test_the_registry_says_what_each_state_means_and_what_mends_it() -> None:
    assert [state for state, texts in registered().items() if not all(texts)] == []
    assert list(registered()) == sorted(registered())


@pytest.mark.parametrize("path", sorted(SQL))
def test_a_header_names_what_the_function_raises(path: str) -> None:
    header = SQL[path].text.partition("\ncreate ")[0]
    assert raised(SQL[path].text) <= told(header)


@pytest.mark.parametrize("path", PUBLIC)
def test_header_and_comment_of_what_is_public_name_the_same_states(path: str) -> None:
    header = SQL[path].text.partition("\ncreate ")[0]
    assert told(comments()[path]) == told(header)


@pytest.mark.parametrize("path", PUBLIC)
def test_the_comment_of_what_is_public_names_every_state_that_can_come(path: str) -> None:
    assert reachable(Path(path).stem) <= told(comments()[path])
