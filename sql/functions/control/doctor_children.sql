-- doctor_children: finding: tables that inherit from a tracked one, whose rows are not tracked with it.
--
-- Locks:  none.
-- needs: functions/track/key_list.sql
-- needs: functions/core/qualified_name.sql
-- needs: functions/control/track_statement.sql
create or replace function evervec.doctor_children(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    with recursive child as (
        select i.inhrelid as relation from pg_inherits i where i.inhparent = p_source.relation
        union
        select i.inhrelid from pg_inherits i join child c on c.relation = i.inhparent
    )
    select 'untracked child', 'advice',
           format('%s inherits from %s; its rows have no vectors.', c.relation::regclass, p_source.relation_name),
           case when exists (select from pg_index i where i.indrelid = c.relation and i.indisprimary)
                then format('select %s;', evervec.track_statement(p_source, evervec.qualified_name(c.relation), k.relname))
                else format('alter table %s add primary key (%s);', evervec.qualified_name(c.relation), evervec.key_list(p_source, null)) end
      from child c
      join pg_class k on k.oid = c.relation and k.relkind = 'r'
     where p_source.relation_kind = 'r'
       and not exists (select from evervec.source s where s.relation = c.relation)
$$;

comment on function evervec.doctor_children(evervec.source) is
$$Internal. Finding of doctor: inheritance children that are not tracked.$$;

revoke execute on function evervec.doctor_children(evervec.source) from public;
