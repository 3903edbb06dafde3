-- create_trigger_function: one trigger function: does nothing for a session that bypasses evervec.
--
-- The bypass is asked for here and not in the trigger's WHEN, which a statement would have to parse and plan anew each time.
-- A column of the user's may bear the name of a variable, such as tg_op: the column is meant.
-- Locks:  none that matter: replacing a function locks no table.
create or replace function evervec.create_trigger_function(p_function text, p_body text, p_pinned boolean default false)
returns regprocedure
language plpgsql
set search_path from current
as $$
begin
    execute format(
        $sql$
        create or replace function evervec.%1$I() returns trigger
        language plpgsql security definer
        set search_path from current %2$s
        as $body$
        #variable_conflict use_column
        begin
            if current_setting('evervec.bypass', true) is distinct from 'on' then
                %3$s
            end if;
            return null;
        end
        $body$
        $sql$,
        p_function, case when p_pinned then evervec.pinned_settings() else '' end, p_body);
    execute format('revoke execute on function evervec.%I() from public', p_function);
    return format('evervec.%I()', p_function)::regprocedure;
end
$$;

comment on function evervec.create_trigger_function(text, text, boolean) is
$$Internal. Creates or replaces evervec.<p_function>(). p_body: PL/pgSQL statements; p_pinned: under pinned settings.$$;

revoke execute on function evervec.create_trigger_function(text, text, boolean) from public;
