-- access_rights: the rights of a kind on what is there now, as GRANT names it, with the owner and the present privileges of each object.
--
-- source_owner: whose table the source is that the object belongs to; that role has its rights for other reasons, and keeps them.
-- Locks:  none.
-- needs: functions/access/kind_rights.sql
-- needs: functions/core/qualified_name.sql
-- needs: functions/track/generated_functions.sql
create or replace function evervec.access_rights(p_kind text)
returns table (object text, privilege text, owner oid, source_owner oid, acl aclitem[])
language sql stable
set search_path from current
as $$
    select 'schema evervec', 'usage', n.nspowner, null::oid, n.nspacl
      from pg_namespace n
     where n.nspname = 'evervec'
    union all
    select 'function ' || p.oid::regprocedure, r.privilege, p.proowner, null, p.proacl
      from evervec.kind_rights() r
      join pg_proc p on p.pronamespace = 'evervec'::regnamespace and p.proname = r.name
     where r.kind = p_kind and r.object = 'function'
    union all
    select 'function ' || p.oid::regprocedure, r.privilege, p.proowner, t.relowner, p.proacl
      from evervec.kind_rights() r
      cross join evervec.source s
      join pg_class t on t.oid = s.relation
      join pg_proc p on p.pronamespace = 'evervec'::regnamespace and p.proname = any (evervec.generated_functions(s.name))
                    and starts_with(p.proname, r.name || '_' || s.name)
     where r.kind = p_kind and r.object = 'source function'
    union all
    select 'table ' || evervec.qualified_name(c.oid), r.privilege, c.relowner, null, c.relacl
      from evervec.kind_rights() r
      join pg_class c on c.relnamespace = 'evervec'::regnamespace and c.relname = r.name
     where r.kind = p_kind and r.object = 'relation'
    union all
    select 'table ' || evervec.qualified_name(c.oid), r.privilege, c.relowner, t.relowner, c.relacl
      from evervec.kind_rights() r
      join evervec.source s on s.storage <> 'column'
      join pg_class t on t.oid = s.relation
      join pg_class c on c.oid = s.target
     where r.kind = p_kind and r.object = 'vectors'
$$;

comment on function evervec.access_rights(text) is
$$Internal. What a kind of access may do with which object of now, each with its owner, the owner of the source's table, and its present privileges.$$;

revoke execute on function evervec.access_rights(text) from public;
