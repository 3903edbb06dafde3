-- create_filter: filter_<source>_<filter>, the keys of the rows that a filter leaves.
--
-- SQL without SET clauses, so that it inlines. It is only called by functions that pin the search_path, the one under which it is checked here.
-- Locks:  none that matter.
-- Raises: VE210 not a condition over a row of the source
create or replace function evervec.create_filter(p_source evervec.source, p_filter evervec.filter)
returns void
language plpgsql
set search_path from current
set check_function_bodies = on
as $$
declare
    v_name   text := 'filter_' || p_source.name || '_' || p_filter.name;
    v_alias  text := (select c.relname from pg_class c where c.oid = p_source.relation);
    v_detail text;
begin
    execute format(
        $sql$
        create or replace function evervec.%1$I(%2$s) returns table (%3$s)
        language sql stable
        as %4$L
        $sql$,
        v_name,
        (select string_agg(format('%I %s', p.name, p.type), ', ' order by p.ordinality)
           from unnest(p_filter.parameter_names, p_filter.parameter_types) with ordinality as p (name, type, ordinality)),
        (select string_agg(format('key_%s %s', k.ordinality, k.type), ', ' order by k.ordinality)
           from unnest(p_source.key_types) with ordinality as k (type, ordinality)),
        format(E'select %s from %s as %I where (%s\n)', evervec.key_list(p_source, quote_ident(v_alias)), (evervec.fragments(p_source)).relation, v_alias,
               p_filter.condition));
    execute format('comment on function evervec.%I is %L', v_name,
                   format('Keys of the rows of %s that the filter %s leaves.', p_source.relation, p_filter.name));
    execute format('revoke execute on function evervec.%I from public', v_name);
    execute format('grant execute on function evervec.%I to %s', v_name,
                   (select c.relowner::regrole from pg_class c where c.oid = p_source.relation));
exception
    when syntax_error_or_access_rule_violation or feature_not_supported or grouping_error or data_exception then
        get stacked diagnostics v_detail = message_text;
        raise exception using
            errcode = 'VE210',
            message = format('filter "%s" of source "%s" is no condition over a row of %s', p_filter.name, p_source.name, p_source.relation),
            detail  = v_detail,
            hint    = format('The row is called %I there; name other tables, and types, with their schema; parameters by name, or as $1, $2, ….', v_alias);
end
$$;

comment on function evervec.create_filter(evervec.source, evervec.filter) is
$$Internal. Creates or replaces filter_<source>_<filter>. Raises VE210.$$;

revoke execute on function evervec.create_filter(evervec.source, evervec.filter) from public;
