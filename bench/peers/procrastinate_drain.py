"""procrastinate's own worker until it has caught up, with a task that does nothing.

install URL | fill URL JOBS | drain URL CONCURRENCY
"""

from __future__ import annotations

import asyncio
import logging
import sys

import procrastinate

from bench.peers import handshake

done = 0


def application(url: str) -> procrastinate.App:
    """The app with its one task."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url, max_size=20))

    @app.task(name="nothing")
    async def nothing(number: int) -> None:  # noqa: ARG001 - found by its name
        global done
        done += 1

    return app


async def install(url: str) -> None:
    """Create its schema."""
    async with application(url).open_async() as app:
        await app.schema_manager.apply_schema_async()


async def fill(url: str, jobs: int) -> None:
    """Defer, 10,000 a call."""
    async with application(url).open_async() as app:
        task = app.configure_task("nothing")
        began = handshake.wait()
        for first in range(0, jobs, 10_000):
            count = min(10_000, jobs - first)
            await task.batch_defer_async(*({"number": first + n} for n in range(count)))
        handshake.report(began, jobs)


async def drain(url: str, concurrency: int) -> None:
    """Work until nothing is left; finished jobs are deleted, as the others do."""
    async with application(url).open_async() as app:
        began = handshake.wait()
        await app.run_worker_async(
            wait=False, concurrency=concurrency, delete_jobs="always", listen_notify=False
        )
        handshake.report(began, done)


if __name__ == "__main__":
    logging.disable(logging.INFO)
    command, url, *numbers = sys.argv[1:]
    asyncio.run(
        install(url)
        if command == "install"
        else (fill if command == "fill" else drain)(url, int(numbers[0]))
    )
