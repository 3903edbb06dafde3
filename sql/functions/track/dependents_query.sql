-- dependents_query: the query that leads from logged rows of another table to the row_keys of a source.
--
-- needs: functions/track/key_list.sql
-- Locks:  none.
create or replace function evervec.dependents_query(
    p_source  evervec.source,
    p_columns text[],
    p_types   text[],
    p_keys    text,
    p_changed text
)
returns text
language sql stable
set search_path from current
as $$
    select format(
        E'with changed as (select %s from unnest(%s) as logged (changed)), found (%s) as (%s\n) select distinct evervec.%I(%s) from found',
        (select string_agg(format('(logged.changed->>%L)::%s as %I', c.name, c.type, c.name), ', ' order by c.ordinality)
           from unnest(p_columns, p_types) with ordinality as c (name, type, ordinality)),
        p_changed,
        evervec.key_list(p_source, null), p_keys, 'key_' || p_source.name,
        (select string_agg(format('found.%I::%s', k.name, k.type), ', ' order by k.ordinality)
           from unnest(p_source.key_columns, p_source.key_types) with ordinality as k (name, type, ordinality)))
$$;

comment on function evervec.dependents_query(evervec.source, text[], text[], text, text) is
$$Internal. Query for the distinct row_keys of a source that changed rows of another table lead to; p_changed: SQL for a jsonb[] of logged columns.$$;

revoke execute on function evervec.dependents_query(evervec.source, text[], text[], text, text) from public;
