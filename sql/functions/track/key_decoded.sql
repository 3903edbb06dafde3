-- key_decoded: the key columns read out of a row_key: (k.row_key->>'id')::integer, …
--
-- Locks:  none.
create or replace function evervec.key_decoded(p_source evervec.source, p_row_key text)
returns text
language sql immutable
set search_path from current
as $$
    select string_agg(format('(%s->>%L)::%s', p_row_key, c.name, c.type), ', ' order by c.ordinality)
      from unnest(p_source.key_columns, p_source.key_types) with ordinality as c (name, type, ordinality)
$$;

comment on function evervec.key_decoded(evervec.source, text) is
$$Internal. Typed key values out of a jsonb expression, as a list.$$;

revoke execute on function evervec.key_decoded(evervec.source, text) from public;
