"""Debian's packages and what they are tagged with, for measuring only: fetched once and kept."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.kept import folder
from bench.venvs import run

SUITE = "bookworm"
CHARACTERS = 300  # of a text


@dataclass(frozen=True)
class Package:
    """One binary package. body: the long description as one line; tags: of debtags."""

    name: str
    source: str
    maintainer: str
    title: str
    body: str
    tags: frozenset[str]

    @property
    def text(self) -> str:
        """What is embedded of it."""
        return f"{self.name}: {self.title}. {self.body.strip()}"[:CHARACTERS].strip()


@dataclass(frozen=True)
class Tag:
    """A tag of debtags' vocabulary; its body may be empty."""

    name: str
    title: str
    body: str


def packages() -> Iterator[Package]:
    """All of the suite in the order of its list; a few names come in two versions."""
    lists = _lists()
    long = {
        found["Description-md5"]: found["Description-en"]
        for found in _stanzas(_text(next(lists.glob("*_Translation-en*"))))
    }
    for found in _stanzas(_text(next(lists.glob("*_Packages*")))):
        name = found["Package"]
        yield Package(
            name,
            found.get("Source", name).split(" ")[0],
            found["Maintainer"],
            *_described(long.get(found.get("Description-md5", ""), found["Description"])),
            frozenset(re.findall(r"[^\s,]+", found.get("Tag", ""))),
        )


def catalogue() -> list[Package]:
    """Each name once: 63,000."""
    found: dict[str, Package] = {}
    for package in packages():
        found.setdefault(package.name, package)
    return list(found.values())


def sentences() -> Iterator[str]:
    """Those of the packages' long descriptions, each once: 40 to 300 characters."""
    seen: set[str] = set()
    for package in packages():
        for sentence in re.split(r"(?<=[.!?]) (?=[A-Z])", package.body.strip()):
            if 40 <= len(sentence) <= CHARACTERS and sentence not in seen:
                seen.add(sentence)
                yield sentence


def vocabulary() -> list[Tag]:
    """The tags and what they mean, as the package debtags has them."""
    kept = folder() / f"{SUITE}-debtags"
    if not kept.exists():
        _lists()
        with TemporaryDirectory(dir=folder()) as work:
            run("apt-get", "download", *_settings(), "debtags", folder=Path(work))
            run("dpkg-deb", "-x", next(Path(work).glob("*.deb")), Path(work, "debtags"))
            Path(work, "debtags").rename(kept)
    text = (kept / "usr/share/debtags/vocabulary").read_text()
    return [
        Tag(found["Tag"], *_described(found["Description"]))
        for found in _stanzas(text)
        if "Tag" in found
    ]


def _described(description: str) -> tuple[str, str]:
    """Its first line, and all others as one."""
    title, _, body = description.partition("\n")
    return title, re.sub(r"\s+(\.\s+)?", " ", body)


def _lists() -> Path:
    """A lists folder of apt's, of our own: what this machine installs is not touched."""
    lists = folder() / SUITE
    if not (lists / "complete").exists():
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        run("apt-get", "update", *_settings())
        (lists / "complete").touch()
    return lists


def _sources() -> Path:
    # Beside the lists: apt removes what it does not know there.
    sources = folder() / f"{SUITE}.list"
    sources.write_text(f"deb http://deb.debian.org/debian {SUITE} main\n")
    return sources


def _settings() -> list[str]:
    lists = folder() / SUITE
    settings = {
        "Dir::State::lists": lists,
        "Dir::Etc::sourcelist": _sources(),
        "Dir::Etc::sourceparts": "-",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Acquire::Languages": "en",
    }
    return [f"-o{name}={value}" for name, value in settings.items()]


def _text(path: Path) -> str:
    words = ["/usr/lib/apt/apt-helper", "cat-file", str(path)]
    return subprocess.run(words, capture_output=True, check=True).stdout.decode()


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    for stanza in text.split("\n\n"):
        fields = re.findall(r"^([^\s:]+):(.*(?:\n[ \t].*)*)", stanza, re.MULTILINE)
        if fields:
            yield {name: value.strip() for name, value in fields}
