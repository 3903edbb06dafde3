-- presence_query: the query that counts which rows of a source have a vector and are seen by whoever runs it.
--
-- Locks:  none.
-- needs: functions/core/qualified_name.sql
-- needs: functions/track/key_match.sql
create or replace function evervec.presence_query(p_source_id integer)
returns text
language sql stable security definer
set search_path from current
as $$
    select format('select count(*) from unnest($1) as k (row_key) join %s e on %s where e.%I is not null',
                  evervec.qualified_name(s.target), evervec.key_match(s, 'e', true), s.vector_column)
      from evervec.source s
     where s.source_id = p_source_id
$$;

comment on function evervec.presence_query(integer) is
$$Internal. The text of the query over ($1 row_keys) that counts those that are there for the caller.$$;

revoke execute on function evervec.presence_query(integer) from public;
