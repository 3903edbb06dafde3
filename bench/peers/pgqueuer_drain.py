"""pgqueuer's own worker in its mode "drain", with a handler that does nothing.

fill URL JOBS | drain URL BATCH MANAGERS
"""

from __future__ import annotations

import asyncio
import sys

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

from bench.peers import handshake

done = 0


async def fill(url: str, jobs: int) -> None:
    """Enqueue, 10,000 a call."""
    connection = await asyncpg.connect(url)
    queries = Queries.from_asyncpg_connection(connection)
    began = handshake.wait()
    for first in range(0, jobs, 10_000):
        count = min(10_000, jobs - first)
        payloads = [b"%d" % (first + number) for number in range(count)]
        await queries.enqueue(["nothing"] * count, payloads, [0] * count)
    handshake.report(began, jobs)
    await connection.close()


async def drain(url: str, batch: int, managers: int) -> None:
    """Work until the queue is empty, each manager on a connection of its own."""
    workers = []
    for _ in range(managers):
        worker = PgQueuer.from_asyncpg_connection(await asyncpg.connect(url))

        @worker.entrypoint("nothing")
        async def nothing(_: object) -> None:
            global done
            done += 1

        workers.append(worker)
    began = handshake.wait()
    mode = QueueExecutionMode.drain
    await asyncio.gather(*(w.qm.run(batch_size=batch, mode=mode) for w in workers))
    handshake.report(began, done)


if __name__ == "__main__":
    command, url, *numbers = sys.argv[1:]
    uvloop.run((fill if command == "fill" else drain)(url, *map(int, numbers)))
