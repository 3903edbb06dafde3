-- configure_push: lets the database ring a webhook when there is work, and, if told so, ask it for the vectors of searches.
--
-- By pg_net a trigger of its own on change_log rings, present only while push is on. The token for searches is made here and kept
-- beside the ring's secret, so that it stands in no statement.
-- Locks:  ACCESS EXCLUSIVE on change_log, in attempts of half a second with pauses between them.
-- Raises: VE111 a bad option · VE422 not the address of a webhook · VE423 p_transport or p_search needs an extension that is not there ·
--         55P03 change_log stays locked
-- needs: functions/auth/create_token.sql
-- needs: functions/auth/keep_secret.sql
-- needs: functions/auth/rotate_secret.sql
-- needs: functions/core/lock_relation.sql
-- needs: functions/push/push_off.sql
-- needs: functions/push/push_transport.sql
-- needs: functions/push/ring_after_change.sql
-- needs: functions/track/check_option.sql
create or replace function evervec.configure_push(
    p_url       text,
    p_transport text default 'auto',
    p_debounce  interval default '1 second',
    p_search    boolean default false
)
returns text
language plpgsql
set search_path from current
as $$
declare
    v_transport text;
begin
    perform evervec.check_option('p_transport', p_transport, array['auto', 'pg_net', 'http']);
    if coalesce(p_url, '') !~ '^https?://[^/?#@[:space:]]+(/[^?#[:space:]]*)?$' then
        raise exception using
            errcode = 'VE422',
            message = 'this is not the address of a webhook',
            detail  = 'It begins with http:// or https://, and has neither user, password, ? nor #: everybody may read the requests of pg_net.',
            hint    = 'SELECT evervec.configure_push(''https://webhook.example.org''); or, to end it: SELECT evervec.push_off();';
    elsif coalesce(p_debounce not between '0' and '1 hour', true) then
        raise exception using
            errcode = 'VE111',
            message = 'rings cannot be so far apart',
            detail  = format('p_debounce is %s.', coalesce(p_debounce::text, 'NULL')),
            hint    = 'From 0 to 1 hour; 1 second is plenty.';
    end if;
    perform evervec.push_off();
    insert into evervec.push (url, transport, debounce, search)
    values (rtrim(p_url, '/'), p_transport, p_debounce, p_search);
    perform setval('evervec.next_ring', 1), set_config('evervec.no_ring_before', '', false);
    v_transport := evervec.push_transport();
    if p_transport not in ('auto', v_transport) or p_search and evervec.pgsql_http() is null then
        raise exception using
            errcode = 'VE423',
            message = format('%s cannot be used in this database', case when p_transport not in ('auto', v_transport) and p_transport = 'pg_net' then 'pg_net' else 'pgsql-http' end),
            detail  = format('It is not there, or %I may not execute its functions, or they belong to a role that is no superuser.', current_user),
            hint    = 'As a superuser: CREATE EXTENSION pg_net; or CREATE EXTENSION http; or leave p_transport and p_search out.';
    end if;

    if not exists (select from evervec.secret_values('ring')) then
        perform evervec.rotate_secret();
    end if;
    if p_search then
        perform evervec.keep_secret('search', evervec.create_token('evervec.search', '{read}'));
    end if;
    if v_transport = 'pg_net' then
        perform evervec.lock_relation('evervec.change_log', 'share row exclusive');
        create trigger evervec_ring after insert on evervec.change_log for each statement execute function evervec.ring_after_change();
    end if;
    return v_transport;
end
$$;

comment on function evervec.configure_push(text, text, interval, boolean) is
$$Lets the database ring a webhook when there is work, so that it need not look for it. Returns by what: pg_net (after each commit), http (pgsql-http: from ring(), by schedule) or none (neither extension is there: workers and webhooks look by themselves). p_url: the webhook's base address, without user or password; it is rung at /v1/wake. p_transport: auto (default), pg_net or http. p_debounce: rings are at least so far apart, default 1 second. p_search: search and hybrid_search ask the webhook (/v1/embed, by pgsql-http) for vectors of words that are not known, with a token made here; default false. Replaces what was configured; push_off ends it. Raises VE111, VE422, VE423, 55P03.$$;

revoke execute on function evervec.configure_push(text, text, interval, boolean) from public;
