-- doctor_log: finding: a change log that grows because nobody folds it.
--
-- Locks:  none.
-- needs: functions/control/setting_number.sql
create or replace function evervec.doctor_log()
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'growing log', 'error',
           format('%s changes since %s have not been folded into the queue; probably no worker is running. Repeat the remedy until it folds 0.',
                  count(*), min(l.logged_at)),
           'select * from evervec.tick();'
      from evervec.change_log l
    having count(*) > evervec.setting_number('alert_change_log_rows', 100000)
$$;

comment on function evervec.doctor_log() is
$$Internal. Finding of doctor: a change log of more rows than setting alert_change_log_rows.$$;

revoke execute on function evervec.doctor_log() from public;
