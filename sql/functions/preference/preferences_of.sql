-- preferences_of: the kinds of preference that a source has; default is one of them whether it was added or not.
--
-- Locks:  none.
create or replace function evervec.preferences_of(p_source_id integer)
returns setof evervec.preference
language sql stable
set search_path from current
as $$
    select p.* from evervec.preference p where p.source_id = p_source_id
    union all
    select 0, p_source_id, 'default', 'evervec', null, null, 1::smallint
     where not exists (select from evervec.preference p where p.source_id = p_source_id and p.name = 'default')
$$;

comment on function evervec.preferences_of(integer) is
$$Internal. The kinds of preference of a source, default among them.$$;

revoke execute on function evervec.preferences_of(integer) from public;
