-- running_build: who builds an index of a table without blocking its writers, which one, and how far that is.
--
-- Everybody sees that somebody does, but not everybody which one and how far: who builds holds a lock on the table.
-- Locks:  none.
create or replace function evervec.running_build(
    p_target     regclass,
    out pid      integer,
    out index    oid,
    out phase    text,
    out progress real
)
language sql stable
set search_path from current
as $$
    select p.pid, nullif(p.index_relid, 0), p.phase,
           case when p.phase in ('initializing', 'waiting for writers before build') then 0
                when p.phase like 'building index%' then coalesce(least(p.blocks_done::real / nullif(p.blocks_total, 0), 0.99), 0)
                -- What remains is checked in one more scan, and waits for older transactions.
                when p.phase is not null then 0.99 end
      from pg_stat_progress_create_index p
      join pg_locks l on l.pid = p.pid and l.database = p.datid
     where p.datname = current_database()
       and l.relation = p_target and l.mode = 'ShareUpdateExclusiveLock' and l.granted
     limit 1
$$;

comment on function evervec.running_build(regclass) is
$$Internal. CREATE INDEX CONCURRENTLY or REINDEX CONCURRENTLY on a table: the backend, and, NULL where the caller may not see them, the index, the phase, and how much is done (0 to 0.99). NULLs when there is none.$$;

revoke execute on function evervec.running_build(regclass) from public;
