-- user_signals: what the signals of a source say of a user, or (NULL) of all.
--
-- One that fails says nothing, and leaves its error in evervec.signal, for doctor and alerts; only an answer about all users takes that back,
-- because another user may be the reason. What is due to the server or to other transactions is not the signal's fault, and passes through.
-- Locks:  the signal's row where it begins to fail, or ceases to.
create or replace function evervec.user_signals(p_source evervec.source, p_user text, p_signals text[] default null)
returns table (
    signal        text,
    signal_weight double precision,
    user_id       text,
    row_key       jsonb,
    rating        double precision,
    frequency     text,
    amount        double precision,
    weight        double precision,
    at            timestamptz
)
language plpgsql volatile
set search_path from current
as $$
declare
    v_signal evervec.signal;
    v_error  text;
begin
    for v_signal in
        select s.* from evervec.signal s
         where s.source_id = p_source.source_id and (p_signals is null or s.name = any (p_signals))
         order by s.name
    loop
        v_error := null;
        begin
            return query execute format('select $2, $3, r.* from evervec.%I($1) r', format('signal_%s_%s', p_source.name, v_signal.name))
            using p_user, v_signal.name, v_signal.weight;
        exception
            when transaction_rollback or insufficient_resources or operator_intervention or object_not_in_prerequisite_state then
                raise;
            when others then
                v_error := sqlerrm;
        end;
        if v_error is distinct from v_signal.last_error and (v_error is not null or p_user is null)
           and current_setting('transaction_read_only') = 'off' then
            update evervec.signal s set last_error = v_error where s.signal_id = v_signal.signal_id;
        end if;
    end loop;
end
$$;

comment on function evervec.user_signals(evervec.source, text, text[]) is
$$Internal. Rows of the signals of a source (p_signals: of these; NULL: of all), with name and weight of each signal; p_user NULL: of all users. One that fails gives no rows, and notes its error.$$;

revoke execute on function evervec.user_signals(evervec.source, text, text[]) from public;
