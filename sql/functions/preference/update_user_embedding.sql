-- update_user_embedding: makes what is known of a user's preferences anew, at once.
--
-- A signal whose query fails is left out, and says so in evervec.signal.
-- Locks:  the user's rows of evervec.user_preference.
-- Raises: VE101 unknown source · VE501 another user's · VE502 no user · VE509 unknown kind of preference
-- needs: functions/preference/learn.sql
-- needs: functions/preference/sound_signals.sql
-- needs: functions/preference/user_inputs.sql
create or replace function evervec.update_user_embedding(p_user text, p_source text, p_preference text default null)
returns boolean
language plpgsql security definer
set search_path from current
as $$
declare
    v_source  evervec.source;
    v_kinds   text[];
    v_hash    bytea;
    v_signals text[];
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
    v_hash := evervec.user_inputs(p_user, p_source);
    v_signals := array(select s.name from evervec.signal s where s.source_id = v_source.source_id);
    begin
        return evervec.learn(v_source, array[p_user], array[v_hash], p_preference, v_signals) > 0;
    exception when others then
        v_signals := evervec.sound_signals(v_source, p_user);
    end;
    return evervec.learn(v_source, array[p_user], array[v_hash], p_preference, v_signals) > 0;
end
$$;

comment on function evervec.update_user_embedding(text, text, text) is
$$Makes the preferences of a user among the rows of a source anew: a sum of the rows' vectors, weighted by what the user did (record_interaction) and what the signals say (add_signal), dislikes negative. p_preference: one kind (add_preference); NULL: all. False where there is nothing to learn from; a former preference is removed then. Raises VE101, VE501, VE502, VE509.$$;

revoke execute on function evervec.update_user_embedding(text, text, text) from public;
