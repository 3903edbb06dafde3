-- lock_relation: takes a lock on a table in short attempts, so that writers never queue behind us for long.
--
-- Locks:  p_mode on p_relation until the end of the transaction.
-- Raises: 55P03 lock_not_available after p_attempts attempts of p_timeout each
create or replace function evervec.lock_relation(
    p_relation regclass,
    p_mode     text,
    p_attempts integer default 10,
    p_timeout  interval default '500 milliseconds'
)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_former text := current_setting('lock_timeout');
begin
    for v_attempt in 1 .. p_attempts loop
        begin
            perform set_config('lock_timeout', extract(milliseconds from p_timeout)::integer::text, true);
            execute format('lock table %s in %s mode', p_relation, p_mode);
            perform set_config('lock_timeout', v_former, true);
            return;
        exception when lock_not_available then
            -- A pause as long as the attempt lets everyone who waited behind it through.
            perform pg_sleep(extract(epoch from p_timeout));
        end;
    end loop;
    raise exception using
        errcode = 'lock_not_available',
        message = format('could not lock table %s in %s mode', p_relation, p_mode),
        detail  = format('%s attempts of %s each met a transaction that holds a conflicting lock.', p_attempts, p_timeout),
        hint    = 'Look for long transactions in pg_stat_activity, then call again: nothing was changed.';
end
$$;

comment on function evervec.lock_relation(regclass, text, integer, interval) is
$$Internal. Locks a table in short attempts with pauses between them, so that writers never wait long behind evervec. Raises 55P03 when it does not succeed.$$;

revoke execute on function evervec.lock_relation(regclass, text, integer, interval) from public;
