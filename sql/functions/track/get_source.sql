-- get_source: what a caller needs to know about a source to search it.
--
-- Locks:  none.
-- Raises: VE101 unknown source
-- needs: functions/core/source_named.sql
create or replace function evervec.get_source(p_name text)
returns table (
    name               text,
    relation           text,
    model              text,
    dimensions         integer,
    target             text,
    distance           text,
    key_columns        text[],
    target_key_columns text[],
    state              text
)
language sql stable security definer
set search_path from current
as $$
    select s.name, s.relation::text, m.name, m.dimensions, s.target::text, s.distance, s.key_columns, s.target_key_columns, s.state
      from evervec.source_named(p_name) s
      join evervec.model m using (model_id)
$$;

comment on function evervec.get_source(text) is
$$One source by its name: table, model, dimensions, embedding table, distance, key columns, state. Raises VE101.$$;

revoke execute on function evervec.get_source(text) from public;
