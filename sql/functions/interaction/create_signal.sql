-- create_signal: signal_<source>_<signal>, what a signal says of one user, or (NULL) of all.
--
-- A branch each, so that the condition on one user reaches the index of the user's table. The user's text is read as the type of user_id, and
-- what that type would not print so again is nobody. The result is of a type of ours, because the columns of TABLE are variables, which
-- a name in the query would mean when its column is gone.
-- Locks:  as signal_columns.
-- Raises: VE110, VE505 as signal_columns
create or replace function evervec.create_signal(p_source evervec.source, p_signal evervec.signal)
returns text[]
language plpgsql
set search_path from current
as $$
declare
    v_columns jsonb := evervec.signal_columns(p_source, p_signal.query, p_signal.key_columns);
    v_values  text := evervec.signal_values(p_source, v_columns, p_signal.key_columns);
    v_named   evervec.source := p_source;
    v_known   text := (select string_agg(format('q.%I is not null', k), ' and ') from unnest(p_signal.key_columns) k);
begin
    v_named.name := format('%s_%s', p_source.name, p_signal.name);
    perform evervec.create_row_function(
        v_named, 'signal', 'text', 'setof evervec.signal_row', true,
        format(
            $body$
        begin
            if $1 is null then
                return query select %1$s from (%2$s
                ) as q where q.user_id is not null and %3$s;
                return;
            end if;
            begin
                if ($1::%4$s)::text is distinct from $1 then
                    return;
                end if;
            exception when data_exception then
                return;
            end;
            return query select %1$s from (%2$s
            ) as q where q.user_id = $1::%4$s and %3$s;
        end
            $body$,
            v_values, p_signal.query, v_known, v_columns ->> 'user_id'));
    execute format('comment on function evervec.%I(text) is %L', 'signal_' || v_named.name,
                   format('What the signal %s of %s says of a user, or (NULL) of all.', p_signal.name, p_source.relation));
    return array(select c from unnest(array['rating', 'frequency', 'amount', 'weight', 'at']) c
                  where v_columns ? c and c <> all (p_signal.key_columns));
end
$$;

comment on function evervec.create_signal(evervec.source, evervec.signal) is
$$Internal. Creates or replaces signal_<source>_<signal>; returns which of the optional columns the query gives. Raises VE110, VE505.$$;

revoke execute on function evervec.create_signal(evervec.source, evervec.signal) from public;
