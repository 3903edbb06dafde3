-- create_priority_function: priority_<source>, the priorities of rows by the source's expression, for the fold.
--
-- Out of range is brought into range; a row that is gone, or has no priority, gets NULL.
-- Locks:  none that matter.
create or replace function evervec.create_priority_function(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
begin
    perform evervec.create_row_function(
        p_source, 'priority', 'p_row_keys jsonb[]', 'smallint[]', true,
        format(
            $body$
        begin
            return array(
                select (select least(greatest(%1$s::numeric, 1), 10)::smallint from %2$s s where %3$s)
                  from unnest($1) with ordinality as k (row_key, ordinality)
                 order by k.ordinality);
        end
            $body$,
            evervec.over_row(p_source.relation, p_source.priority_sql),
            (evervec.fragments(p_source)).relation, evervec.key_match(p_source, 's', false)));
end
$$;

comment on function evervec.create_priority_function(evervec.source) is
$$Internal. Creates or replaces priority_<source>.$$;

revoke execute on function evervec.create_priority_function(evervec.source) from public;
