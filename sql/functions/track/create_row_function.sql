-- create_row_function: one generated PL/pgSQL function that runs with the rights of the owner of the source's table.
--
-- A user's expression may name a column as we name a variable: the column is meant, and parameters are $1, $2, … in the bodies.
-- Locks:  none that matter.
create or replace function evervec.create_row_function(
    p_source    evervec.source,
    p_prefix    text,
    p_arguments text,
    p_returns   text,
    p_stable    boolean,
    p_body      text,
    p_settings  text default ''
)
returns void
language plpgsql
set search_path from current
as $$
begin
    execute format(
        $sql$
        create or replace function evervec.%I(%s)
        returns %s
        language plpgsql %s
        set search_path from current %s %s
        as $body$
        #variable_conflict use_column
        %s
        $body$
        $sql$,
        p_prefix || '_' || p_source.name, p_arguments, p_returns,
        case when p_stable then 'stable' else 'volatile' end, evervec.pinned_settings(), p_settings, p_body);
    perform evervec.act_as_owner(p_source, (
        select p.oid::regprocedure
          from pg_proc p
         where p.pronamespace = 'evervec'::regnamespace and p.proname = p_prefix || '_' || p_source.name));
end
$$;

comment on function evervec.create_row_function(evervec.source, text, text, text, boolean, text, text) is
$$Internal. Creates or replaces <prefix>_<source> under pinned settings and p_settings (SET clauses), with the rights of the owner of the source's table.$$;

revoke execute on function evervec.create_row_function(evervec.source, text, text, text, boolean, text, text) from public;
