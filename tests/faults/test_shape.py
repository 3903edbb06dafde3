"""The queue keeps its shape: 100,000 jobs in waves. `make bench NAME=shape` does a million."""

from __future__ import annotations

import psycopg

from bench.shape import BAR, TABLES, WAVE, Waves, measure


def test_log_and_queue_stay_as_small_as_after_the_first_wave(conn: psycopg.Connection) -> None:
    waves = Waves(conn)
    waves.create()
    # Every wave has its VACUUM; one more, in the middle of the first, would make that look small.
    for table in TABLES:
        conn.execute(f"alter table evervec.{table} set (autovacuum_enabled = false)".encode())

    shape = measure(waves, 10 * WAVE)

    assert shape.jobs == 10 * WAVE
    assert set(shape.first) >= {"change_log", "processing_queue", "processing_queue_pkey"}
    grown = {name: times for name, times in shape.growth.items() if times > BAR}
    assert grown == {}, f"{shape}"
