-- row_differs: the WHEN condition of a trigger: some of the columns are not the same bytes as before.
--
-- Every row that is updated pays for it. Where equality is equality of bytes, the type's own operator is asked (text under collation
-- "C"), four times as quick as a record; other types (json, numeric, citext: what is equal may print differently, or has no equality at
-- all) are compared as records, byte by byte, by the function: a dump prints its operator *<> without the casts that it needs, and the restore loses the trigger.
-- Without OF in the trigger, so that what a BEFORE trigger changes is seen too.
--
-- A value out of line (TOAST) that was not touched is the same chunk as before, of the same size, and is not read: from PostgreSQL 17 on;
-- before that, there is nothing to ask, and such values are fetched and compared.
-- Locks:  none.
create or replace function evervec.row_differs(p_relation regclass, p_columns text[])
returns text
language sql stable
set search_path from current
as $$
    with compared as (
        select c.ordinality, a.attname,
               a.attlen = -1 and a.attstorage <> 'p' and current_setting('server_version_num')::integer >= 170000 as toasted,
               case when a.atttypid = any ('{text,varchar}'::regtype[]) then '(old.%1$I collate "C") is distinct from (new.%1$I collate "C")'
                    when a.atttypid = any ('{bool,int2,int4,int8,oid,uuid,date,timestamp,timestamptz,bytea}'::regtype[])
                    then 'old.%1$I is distinct from new.%1$I'
                    else 'pg_catalog.record_image_ne(row(old.%1$I), row(new.%1$I))' end as test
          from unnest(p_columns) with ordinality as c (name, ordinality)
          join pg_attribute a on a.attrelid = p_relation and a.attname = c.name and a.attnum > 0 and not a.attisdropped
    )
    select '(' || string_agg(
               format(case when c.toasted
                           then 'case when pg_catalog.pg_column_toast_chunk_id(old.%1$I) = pg_catalog.pg_column_toast_chunk_id(new.%1$I)'
                                ' and pg_catalog.pg_column_size(old.%1$I) = pg_catalog.pg_column_size(new.%1$I)'
                                ' then false else ' || c.test || ' end'
                           else c.test end, c.attname),
               ' or ' order by c.toasted, c.ordinality) || ')'
      from compared c
$$;

comment on function evervec.row_differs(regclass, text[]) is
$$Internal. SQL condition for the WHEN clause of an UPDATE trigger over these columns of the table.$$;

revoke execute on function evervec.row_differs(regclass, text[]) from public;
