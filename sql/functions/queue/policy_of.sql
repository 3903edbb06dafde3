-- policy_of: how an error of some class is retried for a source: by the source's own row, or by the one for all.
--
-- Locks:  none.
create or replace function evervec.policy_of(p_source_id integer, p_error_class text)
returns evervec.retry_policy
language sql stable
set search_path from current
as $$
    select p
      from evervec.retry_policy p
     where p.error_class = p_error_class and (p.source_id = p_source_id or p.source_id is null)
     order by p.source_id nulls last
     limit 1
$$;

comment on function evervec.policy_of(integer, text) is
$$Internal. The row of evervec.retry_policy that holds for an error class and a source; NULL when there is none.$$;

revoke execute on function evervec.policy_of(integer, text) from public;
