-- with_key: a source with its primary key as the catalog has it now, and the partitions that are there.
--
-- Locks:  none.
create or replace function evervec.with_key(p_source evervec.source)
returns evervec.source
language plpgsql stable
set search_path from current
as $$
begin
    select c.relkind, evervec.qualified_name(c.oid) into p_source.relation_kind, p_source.relation_name
      from pg_class c
     where c.oid = p_source.relation;
    p_source.partitions := evervec.partitions_of(p_source.relation);
    select array_agg(k.column_name order by k.ordinal),
           array_agg(k.type_name order by k.ordinal),
           array_agg(k.operator order by k.ordinal),
           coalesce(p_source.target_key_columns,
                    array_agg(case when p_source.storage = 'column' then k.column_name
                                   else evervec.target_column_name(k.column_name) end order by k.ordinal))
      into p_source.key_columns, p_source.key_types, p_source.key_operators, p_source.target_key_columns
      from evervec.primary_key(p_source.relation) k;
    if p_source.storage = 'column' then
        p_source.target_key_columns := p_source.key_columns;
    end if;
    p_source.key_attributes := evervec.attribute_numbers(p_source.relation, p_source.key_columns);
    return p_source;
end
$$;

comment on function evervec.with_key(evervec.source) is
$$Internal. The source with its key, kind, name and partitions as they are now.$$;

revoke execute on function evervec.with_key(evervec.source) from public;
