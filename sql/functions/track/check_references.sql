-- check_references: refuses SQL, as a view of it, that reaches functions or operators which anybody could replace.
--
-- Locks:  none.
-- Raises: VE110 it reaches a function or operator in a schema where PUBLIC may create
create or replace function evervec.check_references(p_what text, p_view regclass)
returns void
language plpgsql stable
set search_path from current
as $$
declare
    v_rule   oid := (select r.oid from pg_rewrite r where r.ev_class = p_view);
    v_unsafe text;
begin
    select r.name into v_unsafe
      from (
        select f.oid::regprocedure::text as name, f.pronamespace as namespace
          from pg_depend d join pg_proc f on d.refclassid = 'pg_proc'::regclass and f.oid = d.refobjid
         where d.classid = 'pg_rewrite'::regclass and d.objid = v_rule
        union all
        select o.oid::regoperator::text, o.oprnamespace
          from pg_depend d join pg_operator o on d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid
         where d.classid = 'pg_rewrite'::regclass and d.objid = v_rule
      ) r
     where has_schema_privilege('public', r.namespace, 'create');
    if v_unsafe is not null then
        raise exception using
            errcode = 'VE110',
            message = format('%s reaches %s, which anybody could replace', p_what, v_unsafe),
            detail  = 'It stands in a schema in which PUBLIC may create, and recipes run with the rights of the table''s owner.',
            hint    = 'Move it to a schema of its owner, or REVOKE CREATE ON SCHEMA … FROM PUBLIC.';
    end if;
end
$$;

comment on function evervec.check_references(text, regclass) is
$$Internal. Raises VE110 when a view reaches what anybody could replace.$$;

revoke execute on function evervec.check_references(text, regclass) from public;
