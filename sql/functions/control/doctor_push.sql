-- doctor_push: finding: by what the webhook is rung, and why; worse, where it is not, or could be by something better.
--
-- Locks:  none.
-- needs: functions/push/push_transport.sql
create or replace function evervec.doctor_push()
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    with push as (
        select p.*, evervec.push_transport() as used,
               exists (select from pg_trigger t where t.tgrelid = 'evervec.change_log'::regclass and t.tgname = 'evervec_ring') as by_trigger
          from evervec.push p
    )
    select x.finding, x.severity, x.problem,
           coalesce(x.remedy, format('select evervec.configure_push(%L, %L, %L, %L);', p.url, p.transport, p.debounce, p.search))
      from push p
      cross join lateral (
        select 'push fails' as finding, 'error' as severity,
               format('The last ring of %s failed: %s. Work waits until somebody looks for it.', p.url, rtrim(p.problem, '.')) as problem,
               'select * from evervec.ring();' as remedy
         where p.problem is not null
        union all
        select 'push not possible', 'error',
               format('%s is not rung: %s cannot be used here.', p.url,
                      case p.transport when 'auto' then 'neither pg_net nor pgsql-http' when 'http' then 'pgsql-http' else p.transport end),
               'select evervec.push_off();'
         where p.used = 'none'
        union all
        select 'push not as it could be', 'advice',
               case when p.by_trigger then format('pg_net is gone: %s is rung by a schedule only.', p.url)
                    else format('pg_net is there now, and would ring %s after every commit.', p.url) end,
               null
         where p.by_trigger <> (p.used = 'pg_net') and p.used <> 'none'
        union all
        select 'push', 'info',
               case p.used when 'pg_net' then format('pg_net rings %s after commits, every %s at most; ring() makes up for what is lost.', p.url, p.debounce)
                           else format('pgsql-http rings %s, whenever ring() is called and there is work; pg_net %s.', p.url,
                                       case p.transport when 'http' then 'is not wanted' else 'cannot be used here' end) end,
               'select * from evervec.ring();'
         where p.used <> 'none' and p.by_trigger = (p.used = 'pg_net') and p.problem is null
      ) x
$$;

comment on function evervec.doctor_push() is
$$Internal. Finding of doctor: which transport rings the webhook.$$;

revoke execute on function evervec.doctor_push() from public;
