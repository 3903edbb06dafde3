-- inputs_hash: the one form of what user_inputs() returns.
--
-- Locks:  none.
create or replace function evervec.inputs_hash(p_definitions numeric, p_signals numeric, p_interaction_id bigint)
returns bytea
language sql immutable
set search_path from current
as $$
    select sha256(format('%s %s %s', p_definitions, coalesce(p_signals, 0), coalesce(p_interaction_id, 0))::bytea)
$$;

comment on function evervec.inputs_hash(numeric, numeric, bigint) is
$$Internal. The hash of all that a user's preferences are made from.$$;

revoke execute on function evervec.inputs_hash(numeric, numeric, bigint) from public;
