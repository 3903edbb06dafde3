-- update_user_embedding: makes what is known of a user's preferences anew, at once.
--
-- Locks:  the user's rows of evervec.user_preference.
-- Raises: VE101 unknown source · VE501 another user's · VE502 no user · VE509 unknown kind of preference
-- needs: functions/preference/learn.sql
-- needs: functions/preference/user_inputs.sql
create or replace function evervec.update_user_embedding(p_user text, p_source text, p_preference text default null)
returns boolean
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source;
    v_kinds  text[];
begin
    perform evervec.check_user(p_user);
    v_source := evervec.source_named(p_source);
    v_kinds := array(select p.name from evervec.preferences_of(v_source.source_id) p order by p.name);
    if p_preference <> all (v_kinds) then
        raise exception using
            errcode = 'VE509',
            message = format('source "%s" has no kind of preference "%s"', v_source.name, p_preference),
            detail  = format('Its kinds are: %s.', array_to_string(v_kinds, ', ')),
            hint    = 'Add it with evervec.add_preference(…), or give NULL for all.';
    end if;
    return evervec.learn(v_source, array[p_user], array[evervec.user_inputs(p_user, p_source)], p_preference) > 0;
end
$$;

comment on function evervec.update_user_embedding(text, text, text) is
$$Makes the preferences of a user among the rows of a source anew: a sum of the rows' vectors, weighted by what the user did (record_interaction) and what the signals say (add_signal), dislikes negative. p_preference: one kind (add_preference); NULL, the default: all. False where there is nothing to learn from; the user then has no preference there, whatever was known before. docs/people.md has the formulas. Raises VE101, VE501, VE502, VE509.$$;

revoke execute on function evervec.update_user_embedding(text, text, text) from public;
