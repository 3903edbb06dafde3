-- primary_key: the columns of a table's primary key, in its order, and how each is written and compared.
--
-- as_text: the column's value goes into row_key as its text, under pinned settings; other values go in as JSON does them.
-- operator: the equality of the key's own index, so that citext and the like compare as their key does.
-- Locks:  none.
-- needs: functions/track/base_type.sql
create or replace function evervec.primary_key(p_relation regclass)
returns table (ordinal integer, column_name text, type_name text, as_text boolean, operator text)
language sql stable
set search_path from current
as $$
    select k.ordinality::integer,
           a.attname::text,
           format_type(a.atttypid, -1),
           not (b.typcategory in ('S', 'B', 'E')
                or b.oid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype, 'uuid'::regtype)),
           format('operator(%I.%s)', n.nspname, o.oprname)
      from pg_index i
      cross join unnest(i.indkey::smallint[], i.indclass::oid[]) with ordinality as k (attnum, opclass, ordinality)
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
      join pg_type t on t.oid = a.atttypid
      join pg_type b on b.oid = case t.typtype when 'd' then evervec.base_type(t.oid) else t.oid end
      join pg_opclass c on c.oid = k.opclass
      join pg_amop m on m.amopfamily = c.opcfamily and m.amopstrategy = 3
                    and m.amoplefttype = c.opcintype and m.amoprighttype = c.opcintype
      join pg_operator o on o.oid = m.amopopr
      join pg_namespace n on n.oid = o.oprnamespace
     where i.indrelid = p_relation and i.indisprimary
       and k.ordinality <= i.indnkeyatts
     order by k.ordinality
$$;

comment on function evervec.primary_key(regclass) is
$$Internal. Columns of the primary key: position, name, type, whether row_key holds the value as text, equality operator.$$;

revoke execute on function evervec.primary_key(regclass) from public;
