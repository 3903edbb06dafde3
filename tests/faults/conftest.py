"""A stage a test; a server of its own for tests that kill it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.stage import Stage, staged
from tests.support.cluster import OwnCluster, running_own_cluster


@pytest.fixture
def stage(url: str, tmp_path: Path) -> Iterator[Stage]:
    """Table note with a database of its own on the server of this run."""
    with staged(url, tmp_path) as found:
        yield found


@pytest.fixture(scope="session")
def own_cluster() -> Iterator[OwnCluster]:
    """A server that a test may crash."""
    with running_own_cluster() as cluster:
        yield cluster


@pytest.fixture
def own_stage(own_cluster: OwnCluster, tmp_path: Path) -> Iterator[Stage]:
    """Table note on the server that may crash."""
    with (
        own_cluster.cluster.database(own_cluster.cluster.template()) as database,
        staged(database.url, tmp_path) as found,
    ):
        yield found
