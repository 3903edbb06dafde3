-- doctor_protection: findings: vectors of a table with row-level security that are open to whoever may read them, or in sight of nobody.
--
-- Locks:  none.
-- needs: functions/access/is_protected.sql
create or replace function evervec.doctor_protection(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'unprotected vectors', 'error',
           format('%s has row-level security, %s has none: who may read that sees keys and vectors of every row.', p_source.relation_name,
                  p_source.target_name),
           format('select evervec.protect(%L);', p_source.name)
      from pg_class s
      join pg_class t on t.oid = p_source.target
     where s.oid = p_source.relation and p_source.storage <> 'column' and s.relrowsecurity and not t.relrowsecurity
    union all
    -- As DROP TABLE … CASCADE of what the policy asks, or somebody by hand, leaves it.
    select 'hidden vectors', 'advice',
           format('The policy of %s that asks who sees a row is gone: only its owner sees vectors.', p_source.target_name),
           format('select evervec.protect(%L);', p_source.name)
     where p_source.state <> 'suspended' and evervec.is_protected(p_source)
       and not exists (select from pg_policy p where p.polrelid = p_source.target and p.polname = 'evervec_visible')
$$;

comment on function evervec.doctor_protection(evervec.source) is
$$Internal. Findings of doctor: an embedding table without the row-level security that its source has, or without the policy that shows anything.$$;

revoke execute on function evervec.doctor_protection(evervec.source) from public;
