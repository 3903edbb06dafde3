-- push_off: the webhook is rung no more, and asked for no vectors; workers and webhooks look for work themselves.
--
-- Locks:  ACCESS EXCLUSIVE on change_log where it has the trigger, in attempts of half a second with pauses between them.
-- Raises: 55P03 change_log stays locked
-- needs: functions/core/lock_relation.sql
create or replace function evervec.push_off()
returns boolean
language plpgsql
set search_path from current
as $$
begin
    if exists (select from pg_trigger t where t.tgrelid = 'evervec.change_log'::regclass and t.tgname = 'evervec_ring') then
        perform evervec.lock_relation('evervec.change_log', 'access exclusive');
        drop trigger evervec_ring on evervec.change_log;
    end if;
    update evervec.secret s set retires_at = now() where s.name = 'search' and s.retires_at is null;
    update evervec.api_token t set revoked_at = now() where t.name = 'evervec.search' and t.revoked_at is null;
    delete from evervec.push;
    return found;
end
$$;

comment on function evervec.push_off() is
$$Ends what configure_push began; whether push was on. Raises 55P03.$$;

revoke execute on function evervec.push_off() from public;
