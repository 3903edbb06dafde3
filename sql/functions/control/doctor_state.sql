-- doctor_state: finding: a source that was suspended, or paused, and perhaps forgotten.
--
-- Locks:  none.
create or replace function evervec.doctor_state(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'suspended', 'error',
           format('Source "%s" is suspended: it has no triggers, and changes of %s go unnoticed.', p_source.name, p_source.relation_name),
           format('select evervec.retrack(%L);', p_source.name)
     where p_source.state = 'suspended'
    union all
    select 'paused', 'advice',
           format('Source "%s" is paused: changes are queued and nothing is embedded.', p_source.name),
           format('select evervec.resume(%L);', p_source.name)
     where p_source.state = 'paused'
$$;

comment on function evervec.doctor_state(evervec.source) is
$$Internal. Finding of doctor: a suspended or paused source.$$;

revoke execute on function evervec.doctor_state(evervec.source) from public;
