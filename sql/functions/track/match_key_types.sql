-- match_key_types: gives the key columns of an embedding table the types that the source's key has now.
--
-- Locks:  ACCESS EXCLUSIVE on the embedding table, rewriting it where a type really changes.
create or replace function evervec.match_key_types(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_column record;
begin
    if p_source.storage = 'column' then
        return;
    end if;
    for v_column in
        select t.attname, format_type(s.atttypid, s.atttypmod) as type
          from unnest(p_source.key_columns, p_source.target_key_columns) as k (name, target)
          join pg_attribute s on s.attrelid = p_source.relation and s.attname = k.name
          join pg_attribute t on t.attrelid = p_source.target and t.attname = k.target
         where (s.atttypid, s.atttypmod) <> (t.atttypid, t.atttypmod)
    loop
        execute format('alter table %1$s alter column %2$I type %3$s using %2$I::text::%3$s', p_source.target, v_column.attname,
                       v_column.type);
    end loop;
end
$$;

comment on function evervec.match_key_types(evervec.source) is
$$Internal. ALTER COLUMN TYPE on the embedding table where the type of a key column has changed.$$;

revoke execute on function evervec.match_key_types(evervec.source) from public;
