-- with_return_columns: a source with the columns that its search functions return beside the key.
--
-- Locks:  none.
-- Raises: VE103 unknown column
create or replace function evervec.with_return_columns(p_source evervec.source, p_columns text[])
returns evervec.source
language plpgsql stable
set search_path from current
as $$
declare
    v_unknown text;
begin
    p_source.return_columns := array(
        select c.name
          from unnest(p_columns) with ordinality as c (name, ordinality)
         where c.name <> all (p_source.key_columns)
         group by c.name
         order by min(c.ordinality));
    select c.name into v_unknown
      from unnest(p_source.return_columns) as c (name)
     where not exists (select from pg_attribute a
                        where a.attrelid = p_source.relation and a.attname = c.name and a.attnum > 0 and not a.attisdropped)
     limit 1;
    if found then
        raise exception using
            errcode = 'VE103',
            message = format('p_return_columns: %s has no column "%s"', p_source.relation, v_unknown),
            detail  = format('Its columns: %s.', (
                select string_agg(a.attname, ', ' order by a.attnum)
                  from pg_attribute a
                 where a.attrelid = p_source.relation and a.attnum > 0 and not a.attisdropped)),
            hint    = 'Names are case-sensitive. The key is returned anyway.';
    end if;
    p_source.return_attributes := evervec.attribute_numbers(p_source.relation, p_source.return_columns);
    return p_source;
end
$$;

comment on function evervec.with_return_columns(evervec.source, text[]) is
$$Internal. The source with return_columns (those of p_columns that are not of the key) and their numbers. Raises VE103.$$;

revoke execute on function evervec.with_return_columns(evervec.source, text[]) from public;
