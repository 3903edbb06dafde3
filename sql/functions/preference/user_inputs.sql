-- user_inputs: what a user's preferences are made from, as a hash: other inputs, another hash.
--
-- Cheap, since recommend asks at every call: the rows that the signals give of this user, and the number of the last interaction. A sum of
-- hashes, so that the order of the rows does not matter and nothing is sorted.
-- Locks:  none beyond those of the signals' queries.
-- Raises: VE101 unknown source · VE501 another user's · VE502 no user
-- needs: functions/preference/definitions_hash.sql
-- needs: functions/preference/inputs_hash.sql
create or replace function evervec.user_inputs(p_user text, p_source text)
returns bytea
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source;
begin
    perform evervec.check_user(p_user);
    v_source := evervec.source_named(p_source);
    return evervec.inputs_hash(
        evervec.definitions_hash(v_source),
        (select sum(hash_record_extended(s, 0)) from evervec.user_signals(v_source, p_user) s),
        (select max(i.interaction_id) from evervec.interaction i where i.user_id = p_user and i.source_id = v_source.source_id));
end
$$;

comment on function evervec.user_inputs(text, text) is
$$Internal. A hash of what a user's preferences among the rows of a source are made from, as it is now. Raises VE101, VE501, VE502.$$;

revoke execute on function evervec.user_inputs(text, text) from public;
