-- resume: takes the work on a paused source, or on all, up again.
--
-- A suspended source has no triggers and is brought back by retrack.
-- Locks:  rows of evervec.source.
-- Raises: VE101 unknown source
create or replace function evervec.resume(p_source text default null)
returns integer
language plpgsql security definer
set search_path from current
as $$
declare
    v_resumed integer;
begin
    if p_source is not null then
        perform evervec.source_named(p_source);
    end if;
    update evervec.source s
       set state = 'active'
     where s.state = 'paused' and (p_source is null or s.name = p_source);
    get diagnostics v_resumed = row_count;
    return v_resumed;
end
$$;

comment on function evervec.resume(text) is
$$Takes the work on a paused source, or (NULL) on all, up again. Returns how many sources were paused. A suspended one stays so: see retrack. Raises VE101.$$;

revoke execute on function evervec.resume(text) from public;
