-- signal_columns: the columns that a signal's query gives, with their types, found by making a view of it; and whether it may be run at all.
--
-- It is run with the rights of the owner of the source's table, as recipes are. The view lives for a moment, under a name of evervec's own.
-- Locks:  those of CREATE VIEW and DROP VIEW: ACCESS SHARE on what it reads.
-- Raises: VE110 it reads what that owner may not, or reaches what anybody could replace · VE505 no query of that kind
create or replace function evervec.signal_columns(p_source evervec.source, p_query text, p_keys text[])
returns jsonb
language plpgsql
set search_path from current
as $$
declare
    v_columns jsonb;
    v_view    regclass;
    v_owner   oid := (select c.relowner from pg_class c where c.oid = p_source.relation);
    v_detail  text;
    v_hidden  record;
begin
    perform pg_advisory_xact_lock(evervec.lock_key('analyse'));
    begin
        execute format(E'create view evervec.analysed as select q.* from (%s\n) as q', p_query);
        v_view := to_regclass('evervec.analysed');
        v_columns := (
            select jsonb_object_agg(a.attname, format_type(a.atttypid, null))
              from pg_attribute a
             where a.attrelid = v_view and a.attnum > 0 and not a.attisdropped);
        v_detail := (
            select 'It gives no column ' || string_agg(quote_ident(c.name), ', ')
              from unnest('user_id'::text || p_keys) with ordinality as c (name, n)
             where not v_columns ? c.name);
        if v_detail is null then
            execute format('create view evervec.analysed_values (user_id, row_key, rating, frequency, amount, weight, at) as select %s from evervec.analysed as q',
                           evervec.signal_values(p_source, v_columns, p_keys));
            drop view evervec.analysed_values;
        end if;
    exception
        when syntax_error_or_access_rule_violation or feature_not_supported or grouping_error or data_exception then
            get stacked diagnostics v_detail = message_text;
    end;
    if v_detail is null and not evervec.is_scalar(v_columns ->> 'user_id') then
        v_detail := format('Its user_id is of type %s', v_columns ->> 'user_id');
    end if;
    if v_detail is not null then
        raise exception using
            errcode = 'VE505',
            message = format('this is no query for a signal of source "%s"', p_source.name),
            detail  = v_detail,
            hint    = format('A query gives user_id and %s, and may give rating, frequency, amount, weight and at; tables are named with their schema.',
                             (select string_agg(quote_ident(k), ', ') from unnest(p_keys) k));
    end if;
    perform evervec.check_references('a signal', v_view);
    select c.oid::regclass as relation,
           has_any_column_privilege(v_owner, c.oid, 'select') and has_schema_privilege(v_owner, c.relnamespace, 'usage') as readable
      into v_hidden
      from pg_class c
      join pg_roles o on o.oid = v_owner
     where c.oid in (
            select d.refobjid
              from pg_depend d
              join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
             where r.ev_class = v_view and d.refclassid = 'pg_class'::regclass and d.refobjid <> v_view)
       and (not has_any_column_privilege(v_owner, c.oid, 'select') or not has_schema_privilege(v_owner, c.relnamespace, 'usage')
            or c.relrowsecurity and not o.rolbypassrls and (c.relforcerowsecurity or not pg_has_role(v_owner, c.relowner, 'usage')))
     limit 1;
    if found then
        raise exception using
            errcode = 'VE110',
            message = format('a signal of source "%s" cannot read %s', p_source.name, v_hidden.relation),
            detail  = format('It runs with the rights of %s, the owner of %s, %s.', v_owner::regrole, p_source.relation,
                             case when v_hidden.readable then 'from whom row-level security would hide rows' else 'who may not read that' end),
            hint    = case when v_hidden.readable then format('Give %s BYPASSRLS, or a policy.', v_owner::regrole)
                           else format('GRANT SELECT ON %s TO %s;', v_hidden.relation, v_owner::regrole) end;
    end if;
    drop view evervec.analysed;
    return v_columns;
end
$$;

comment on function evervec.signal_columns(evervec.source, text, text[]) is
$$Internal. The columns that a signal's query gives, an object of names and types. Raises VE110, VE505.$$;

revoke execute on function evervec.signal_columns(evervec.source, text, text[]) from public;
