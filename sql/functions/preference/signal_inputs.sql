-- signal_inputs: a number for each user that changes with the rows that a signal gives of that user.
--
-- A sum of hashes, so that the order of the rows does not matter and nothing is sorted.
-- Locks:  none beyond those of the signal's query.
-- Raises: what the signal's query raises
create or replace function evervec.signal_inputs(p_source evervec.source, p_signal text, p_user text)
returns table (user_id text, inputs numeric)
language plpgsql stable
set search_path from current
as $$
begin
    return query execute format(
        'select s.user_id, sum(hash_record_extended((s.row_key, s.rating, s.frequency, s.amount, s.weight, s.at), %s)) from evervec.%I($1) s group by s.user_id',
        hashtext(p_signal), 'signal_' || p_source.name || '_' || p_signal)
        using p_user;
end
$$;

comment on function evervec.signal_inputs(evervec.source, text, text) is
$$Internal. A hash of the rows of a signal for a user; p_user NULL: for each.$$;

revoke execute on function evervec.signal_inputs(evervec.source, text, text) from public;
