-- pause: no more work on a source, or on all, until resume; changes are logged and queued meanwhile.
--
-- What a worker has claimed already is still completed. For a bulk load that need not even be logged, a session may say
-- SET evervec.bypass = on; then nothing of what it writes is noticed, and reconcile must follow.
-- Locks:  rows of evervec.source.
-- Raises: VE101 unknown source
create or replace function evervec.pause(p_source text default null)
returns integer
language plpgsql security definer
set search_path from current
as $$
declare
    v_paused integer;
begin
    if p_source is not null then
        perform evervec.source_named(p_source);
    end if;
    update evervec.source s
       set state = 'paused'
     where s.state = 'active' and (p_source is null or s.name = p_source);
    get diagnostics v_paused = row_count;
    return v_paused;
end
$$;

comment on function evervec.pause(text) is
$$Stops the work on a source, or (NULL) on all: changes are logged and queued, nothing is claimed, vectors stay and are served. Returns how many sources were active before. Raises VE101.$$;

revoke execute on function evervec.pause(text) from public;
