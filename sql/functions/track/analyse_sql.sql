-- analyse_sql: what an SQL expression over a row reads, found by making a view of it and looking at the view's dependencies.
--
-- The row's alias is the name of its table. The view lives for a moment, under a name of evervec's own.
-- Locks:  those of CREATE VIEW and DROP VIEW: ACCESS SHARE on what it reads.
-- Raises: VE104 it does not parse · VE110 it reaches a function or operator in a schema where PUBLIC may create
create or replace function evervec.analyse_sql(
    p_relation  regclass,
    p_parameter text,
    p_sql       text,
    out columns text[],
    out tables  regclass[]
)
language plpgsql
set search_path from current
as $$
declare
    v_view   regclass;
    v_rule   oid;
    v_detail text;
begin
    -- One name for the view, so one analysis at a time.
    perform pg_advisory_xact_lock(evervec.lock_key('analyse'));
    begin
        execute format(
            E'create view evervec.analysed as select (%s\n) as result from %s as %I',
            p_sql, evervec.qualified_name(p_relation), (select c.relname from pg_class c where c.oid = p_relation));
    exception
        when syntax_error_or_access_rule_violation or feature_not_supported or grouping_error or data_exception then
            get stacked diagnostics v_detail = message_text;
            raise exception using
                errcode = 'VE104',
                message = format('%s is not an SQL expression over a row of %s', p_parameter, p_relation),
                detail  = v_detail,
                hint    = format('The row is called %I there; name other tables with their schema. A query must give one column and one row.',
                                 (select c.relname from pg_class c where c.oid = p_relation));
    end;

    v_view := to_regclass('evervec.analysed');
    select r.oid into v_rule from pg_rewrite r where r.ev_class = v_view;
    columns := case
        -- A reference to the whole row names no column: every one counts.
        when pg_get_viewdef(v_view) ~ '\.\*' then array(
            select a.attname::text from pg_attribute a
             where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped order by a.attnum)
        else array(
            select a.attname::text
              from pg_attribute a
             where a.attrelid = p_relation and a.attnum > 0
               and a.attnum in (select d.refobjsubid from pg_depend d
                                 where d.classid = 'pg_rewrite'::regclass and d.objid = v_rule and d.refobjid = p_relation)
             order by a.attnum)
    end;
    tables := array(
        select distinct d.refobjid::regclass
          from pg_depend d
         where d.classid = 'pg_rewrite'::regclass and d.objid = v_rule and d.refclassid = 'pg_class'::regclass
           and d.refobjid not in (p_relation, v_view));
    perform evervec.check_references(p_parameter, v_view);
    drop view evervec.analysed;
end
$$;

comment on function evervec.analyse_sql(regclass, text, text) is
$$Internal. The columns of a table, and the other tables, that an SQL expression over its row reads. Raises VE104, VE110.$$;

revoke execute on function evervec.analyse_sql(regclass, text, text) from public;
