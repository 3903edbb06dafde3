-- doctor_privileges: finding: privileges that evervec needs for a source and has not any more.
--
-- Locks:  none.
-- needs: functions/core/qualified_name.sql
create or replace function evervec.doctor_privileges(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    with role as (
        select n.nspowner as evervec, c.relowner as owner, c.relrowsecurity and c.relforcerowsecurity as forced
          from pg_namespace n
          cross join pg_class c
         where n.nspname = 'evervec' and c.oid = p_source.relation
    )
    select 'membership lost', 'error',
           format('%s, who owns evervec, is not a member of %s, who owns %s, and can no longer care for its triggers and vectors.',
                  r.evervec::regrole, r.owner::regrole, p_source.relation_name),
           format('grant %s to %s;', r.owner::regrole, r.evervec::regrole)
      from role r
     where not pg_has_role(r.evervec, r.owner, 'usage')
    union all
    select 'owner changed', 'error',
           format('%s belongs to %s now, but its texts are made with the rights of %s.', p_source.relation_name, r.owner::regrole,
                  p.proowner::regrole),
           format('select evervec.retrack(%L);', p_source.name)
      from role r
      join pg_proc p on p.pronamespace = 'evervec'::regnamespace and p.proname = 'render_' || p_source.name
     where p.proowner <> r.owner
    union all
    select 'embedding table of another owner', 'error',
           format('%s, who owns %s, may not write its vectors into %s.', r.owner::regrole, p_source.relation_name, p_source.target_name),
           format('alter table %s owner to %s;', evervec.qualified_name(p_source.target), r.owner::regrole)
      from role r
     where p_source.storage <> 'column'
       and not (has_table_privilege(r.owner, p_source.target, 'select') and has_table_privilege(r.owner, p_source.target, 'insert')
                and has_table_privilege(r.owner, p_source.target, 'update') and has_table_privilege(r.owner, p_source.target, 'delete'))
    union all
    select 'row-level security', 'error',
           format('Row-level security is forced upon the owner of %s, so evervec does not see every row.', p_source.relation_name),
           format('alter table %s no force row level security;', evervec.qualified_name(p_source.relation))
      from role r
      join pg_roles o on o.oid = r.owner
     where r.forced and not (o.rolsuper or o.rolbypassrls)
$$;

comment on function evervec.doctor_privileges(evervec.source) is
$$Internal. Finding of doctor: lost privileges.$$;

revoke execute on function evervec.doctor_privileges(evervec.source) from public;
