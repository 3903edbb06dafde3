-- trusted_function: a function of an extension that may or may not be there, found by name and types, for calls at run time.
--
-- Not by the extension, which a service may have built in under another name; but only what a superuser owns, or we ourselves: anybody
-- else's would run with our rights.
-- Locks:  none.
create or replace function evervec.trusted_function(p_name name, variadic p_types name[])
returns regproc
language sql stable
set search_path from current
as $$
    select p.oid::regproc
      from pg_proc p
      join pg_roles o on o.oid = p.proowner
     where p.proname = p_name
       and p_types = array(select t.typname from unnest(p.proargtypes) with ordinality as a (oid, n) join pg_type t on t.oid = a.oid order by a.n)
       and (o.rolsuper or o.rolname = current_user)
       and has_schema_privilege(p.pronamespace, 'usage') and has_function_privilege(p.oid, 'execute')
     order by p.oid
     limit 1
$$;

comment on function evervec.trusted_function(name, name[]) is
$$Internal. The function of that name with parameters of these types, if the current role may call it and its owner can be trusted; NULL otherwise.$$;

revoke execute on function evervec.trusted_function(name, name[]) from public;
