"""The files under sql/: which objects each holds, how to drop them, in which order they come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from tools.statements import split, strip_comments

AREAS = ("functions", "triggers", "views")
KINDS = ("function", "procedure", "aggregate", "view", "trigger")

_COMMENT_ON = re.compile(
    rf"comment\s+on\s+(?P<kind>{'|'.join(KINDS)})\s+(?P<identity>.*?)\s+is\b", re.I | re.DOTALL
)
_NEEDS = re.compile(r"^-- needs:\s*(.+?)\s*$", re.MULTILINE)
_HEAD = re.compile(
    r"create\s+(?:or\s+replace\s+)?(?:function|procedure)\b(.*?)\blanguage\b", re.I | re.S
)
_DEFAULT = re.compile(r"\s+(?:default|=)\s+(?:'(?:[^']|'')*'|\([^()]*\)|[^,()'])+", re.I)


class SqlFileError(Exception):
    """A file under sql/ that cannot be frozen; the message names it and says what to write."""


@dataclass(frozen=True)
class SqlObject:
    """One database object: its kind, and its identity as in COMMENT ON, white space normalised."""

    kind: str
    identity: str

    @property
    def drop(self) -> str:
        """The statement that drops it."""
        return f"drop {self.kind} {self.identity};"

    @property
    def name(self) -> str:
        """The identity without a function's argument types."""
        return self.identity.partition("(")[0].strip()


@dataclass(frozen=True)
class SqlFile:
    """The text of one file under sql/, or of its section in a migration; path: `views/x.sql`."""

    path: str
    text: str

    @cached_property
    def objects(self) -> tuple[SqlObject, ...]:
        """What the file creates, read from the COMMENT ON statements that it must have for that."""
        found = []
        for statement in split(self.text):
            match = _COMMENT_ON.match(strip_comments(statement).strip())
            if match:
                found.append(SqlObject(match["kind"].lower(), _normalised(match["identity"])))
        if not found:
            raise SqlFileError(
                f"sql/{self.path}: no `comment on function name(types)` (or view, trigger, …),"
                " from which its objects are read"
            )
        return tuple(found)

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """The files that must be created before this one."""
        return tuple(_NEEDS.findall(self.text))

    @cached_property
    def head(self) -> tuple[object, ...]:
        """What CREATE OR REPLACE cannot change: when it differs, the objects are dropped first.

        Of functions: identity, parameter names, return type, and how many parameters have defaults.
        Of views: everything, because columns can only be added behind the others.
        """
        if any(o.kind == "view" for o in self.objects):
            return (self.objects, _normalised(strip_comments(self.text)))
        heads = _HEAD.findall(strip_comments(self.text))
        bare = tuple(_normalised(_DEFAULT.sub("", head)) for head in heads)
        defaults = sum(len(_DEFAULT.findall(head)) for head in heads)
        return (self.objects, bare, defaults)

    def replaceable_by(self, other: SqlFile) -> bool:
        """Whether CREATE OR REPLACE leads from this text to the other."""
        (*mine, my_defaults), (*theirs, their_defaults) = (self.head, other.head)
        if isinstance(my_defaults, int) and isinstance(their_defaults, int):
            return mine == theirs and my_defaults <= their_defaults  # may be added, never removed
        return self.head == other.head

    def binds(self, other: SqlFile) -> bool:
        """Whether PostgreSQL records that this file's objects use the other's, and so guards them.

        It does for views, triggers and BEGIN ATOMIC bodies, and for the types in a function's head;
        of a body in quotes it knows nothing.
        """
        code = _normalised(strip_comments(self.text))
        if "begin atomic" not in code.lower() and all(o.kind == "function" for o in self.objects):
            code = " ".join(_HEAD.findall(code))
        return any(re.search(rf"(?<![\w.]){re.escape(o.name)}(?!\w)", code) for o in other.objects)


def same_text(one: SqlFile, other: SqlFile) -> bool:
    """Whether two versions of a file are equal but for white space at their ends."""
    return one.text.strip() == other.text.strip()


def ordered(files: Mapping[str, SqlFile]) -> list[SqlFile]:
    """Functions, triggers, views, each by path; what a file needs goes before it."""
    done: dict[str, SqlFile] = {}

    def visit(path: str, trail: tuple[str, ...]) -> None:
        if path in trail:
            raise SqlFileError(f"sql/: these files need each other: {' → '.join([*trail, path])}")
        if path in done:
            return
        for needed in files[path].needs:
            if needed not in files:
                raise SqlFileError(f"sql/{path} needs {needed}, which does not exist")
            visit(needed, (*trail, path))
        done[path] = files[path]

    for path in sorted(files, key=_rank):
        visit(path, ())
    return list(done.values())


def dependants(paths: Iterable[str], files: Mapping[str, SqlFile]) -> set[str]:
    """The other files whose objects must be dropped before those of the given ones can be."""
    found: set[str] = set(paths)
    while more := {
        path
        for path, file in files.items()
        if path not in found and any(file.binds(files[other]) for other in found)
    }:
        found |= more
    return found - set(paths)


def _rank(path: str) -> tuple[int, str]:
    area = path.partition("/")[0]
    if area not in AREAS:
        raise SqlFileError(f"sql/{path} is in none of {', '.join(f'sql/{a}/' for a in AREAS)}")
    return AREAS.index(area), path


def _normalised(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
