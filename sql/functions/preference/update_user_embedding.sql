-- update_user_embedding: makes what is known of a user's preferences anew, at once.
--
-- Locks:  the user's rows of evervec.user_preference.
-- Raises: VE101 unknown source · VE501 another user's · VE502 no user · VE509 unknown kind of preference
-- needs: functions/preference/check_preference.sql
-- needs: functions/preference/learn.sql
-- needs: functions/preference/user_inputs.sql
create or replace function evervec.update_user_embedding(p_user text, p_source text, p_preference text default null)
returns boolean
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source;
begin
    perform evervec.check_user(p_user);
    v_source := evervec.source_named(p_source);
    if p_preference is not null then
        perform evervec.check_preference(v_source, p_preference);
    end if;
    return evervec.learn(v_source, array[p_user], array[evervec.user_inputs(p_user, p_source)], p_preference) > 0;
end
$$;

comment on function evervec.update_user_embedding(text, text, text) is
$$Makes the preferences of a user among the rows of a source anew: a sum of the rows' vectors, weighted by what the user did (record_interaction) and what the signals say (add_signal), dislikes negative. p_preference: one kind (add_preference); NULL, the default: all. False where there is nothing to learn from; the user then has no preference there, whatever was known before. docs/people.md has the formulas. Raises VE101, VE501, VE502, VE509.$$;

revoke execute on function evervec.update_user_embedding(text, text, text) from public;
