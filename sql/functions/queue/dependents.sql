-- dependents: the rows of a source that changed rows of other tables lead to.
--
-- NULL: that cannot be told (a column was renamed, the query fails); then the whole source has to be compared.
-- Locks:  none beyond ACCESS SHARE.
create or replace function evervec.dependents(p_source evervec.source, p_changed jsonb[])
returns jsonb[]
language plpgsql stable
set search_path from current
as $$
declare
    v_group record;
    v_keys  jsonb[] := array[]::jsonb[];
    v_found jsonb[];
begin
    for v_group in
        select (c.row ->> 'dependency')::integer as ordinal,
               array_agg(c.row -> 'changed') as changed,
               bool_or(c.row -> 'changed' @? '$.*.renamed') as renamed
          from unnest(p_changed) as c (row)
         group by 1
    loop
        if v_group.renamed then
            return null;
        end if;
        execute format('select array(select d from evervec.%I($1) d where d is not null)',
                       format('dependents%s_%s', v_group.ordinal, p_source.name))
        into v_found using v_group.changed;
        v_keys := v_keys || v_found;
    end loop;
    return v_keys;
exception when others then
    return null;
end
$$;

comment on function evervec.dependents(evervec.source, jsonb[]) is
$$Internal. row_keys of a source whose texts logged rows of other tables touch; NULL when that cannot be told.$$;

revoke execute on function evervec.dependents(evervec.source, jsonb[]) from public;
