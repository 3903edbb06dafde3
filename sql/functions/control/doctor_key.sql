-- doctor_key: finding: a source whose primary key is gone, or another one than its vectors are kept under.
--
-- Locks:  none.
-- needs: functions/track/attribute_names.sql
-- needs: functions/track/attribute_numbers.sql
-- needs: functions/track/primary_key.sql
-- needs: functions/core/qualified_name.sql
-- needs: functions/control/track_statement.sql
create or replace function evervec.doctor_key(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    with present as (
        select array(select k.column_name from evervec.primary_key(p_source.relation) k order by k.ordinal) as columns
    )
    select 'primary key dropped', 'error',
           format('%s has no primary key any more; vectors cannot be told to be of one row.', p_source.relation_name),
           format('alter table %s add primary key (%s);', evervec.qualified_name(p_source.relation), (
                select string_agg(quote_ident(k), ', ' order by n)
                  from unnest(evervec.attribute_names(p_source.relation, p_source.key_attributes)) with ordinality as u (k, n)))
      from present p
     where p.columns = '{}'
    union all
    select 'primary key changed', 'error',
           format('The primary key of %s is (%s) now, but its vectors are kept under another one. They have to be made, or brought, anew.',
                  p_source.relation_name, array_to_string(p.columns, ', ')),
           format('select evervec.untrack(%L, p_drop_vectors => true), %s;', p_source.name, evervec.track_statement(p_source))
      from present p
     where p.columns <> '{}' and evervec.attribute_numbers(p_source.relation, p.columns) <> p_source.key_attributes
$$;

comment on function evervec.doctor_key(evervec.source) is
$$Internal. Finding of doctor: a dropped or changed primary key.$$;

revoke execute on function evervec.doctor_key(evervec.source) from public;
