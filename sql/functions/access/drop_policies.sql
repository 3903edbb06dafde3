-- drop_policies: takes policies of evervec off an embedding table; row-level security stays on, so that nobody sees more than before.
--
-- Locks:  ACCESS EXCLUSIVE on the embedding table, taken in attempts of half a second with pauses between them.
-- Raises: 55P03 the table stays locked
create or replace function evervec.drop_policies(p_source evervec.source, p_policies text[])
returns void
language plpgsql
set search_path from current
as $$
declare
    v_policy name;
begin
    perform evervec.lock_relation(p_source.target, 'access exclusive');
    for v_policy in select p.polname from pg_policy p where p.polrelid = p_source.target and p.polname = any (p_policies) loop
        execute format('drop policy %I on %s', v_policy, evervec.qualified_name(p_source.target));
    end loop;
end
$$;

comment on function evervec.drop_policies(evervec.source, text[]) is
$$Internal. Drops those of the named policies that the embedding table of a source has. Raises 55P03.$$;

revoke execute on function evervec.drop_policies(evervec.source, text[]) from public;
