-- user_state: hashes of what evervec knows a user to have done with a source, and of that with what the user has of it or dismissed.
--
-- Locks:  none beyond those of the signals' queries.
-- Raises: VE101 unknown source · VE501 another user's · VE502 no user
-- needs: functions/preference/user_inputs.sql
create or replace function evervec.user_state(p_user text, p_source text, out inputs bytea, out state bytea)
language plpgsql stable security definer
set search_path from current
as $$
begin
    inputs := evervec.user_inputs(p_user, p_source);
    state := sha256(inputs || numeric_send((
        select coalesce(sum(jsonb_hash_extended(m.row_key, case m.mark when 'has' then 1 else 2 end)), 0)
          from evervec.row_mark m
         where m.user_id = p_user and m.source_id = (select s.source_id from evervec.source s where s.name = p_source))));
end
$$;

comment on function evervec.user_state(text, text) is
$$Internal. inputs: a hash that changes with what a user does with a source, and with what the signals say (user_inputs); state: with what is marked too. Raises VE101, VE501, VE502.$$;

revoke execute on function evervec.user_state(text, text) from public;
