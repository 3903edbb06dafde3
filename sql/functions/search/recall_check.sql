-- recall_check: how much of what is really nearest the searches of a source find, measured on its own rows.
--
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE111 a number out of its range
-- needs: functions/search/measure_recall.sql
create or replace function evervec.recall_check(
    p_source  text,
    p_samples integer default 100,
    p_limit   integer default 10,
    p_effort  integer default null,
    p_noise   double precision default 2
)
returns table (effort integer, samples integer, recall real, p50_ms real, p95_ms real, exact_p50_ms real, exact_p95_ms real)
language sql stable
set search_path from current
as $$
    select case when m.indexed then m.effort end, m.samples, m.recall, m.p50_ms, m.p95_ms, m.exact_p50_ms, m.exact_p95_ms
      from evervec.measure_recall(p_source, p_samples, p_limit, p_noise, array[p_effort]) m
$$;

comment on function evervec.recall_check(text, integer, integer, integer, double precision) is
$$How many of the nearest rows a search of the source finds, from 0 to 1, and how long it takes, against exact search. The vectors of p_samples (default 100, at most 10,000) rows, chosen at random, are the queries, each moved at random as far as p_noise (default 2) times the distance to its neighbours, as what users look for is not among the rows either, and is found less surely; 0: the rows themselves; each asks for its p_limit (default 10, at most 1,000) nearest others, by the function that find_similar calls; a row no farther than the last right one counts as right. p_effort: hnsw.ef_search or ivfflat.probes for the time of the call; NULL: as searches are now. effort: what was measured, NULL where searches asked no index, because there is none or so few vectors that reading all is as fast. samples: fewer where there are fewer vectors; without any the rest is NULL. p50_ms, p95_ms, exact_p50_ms, exact_p95_ms: milliseconds that half of the searches, or 95 of 100, took at most, within the server and with data in memory. Reads all vectors once a sample. Runs with the caller's privileges. Raises VE101, VE111.$$;

revoke execute on function evervec.recall_check(text, integer, integer, integer, double precision) from public;
