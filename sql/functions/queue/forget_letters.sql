-- forget_letters: removes dead letters by age and number, as evervec.setting says; those that are resolved go first.
--
-- Locks:  what is forgotten, SKIP LOCKED.
-- needs: functions/control/setting_interval.sql
-- needs: functions/control/setting_number.sql
create or replace function evervec.forget_letters(p_limit integer default 10000)
returns bigint
language sql
set search_path from current
as $$
    with surplus as (
        select greatest(count(*) - greatest(evervec.setting_number('dead_letter_most', 100000), 0), 0)::bigint as letters
          from evervec.dead_letter d
    ), forgotten as (
        select d.dead_letter_id
          from evervec.dead_letter d
         where d.resolved_at < (select now() - evervec.setting_interval('dead_letter_keep_resolved', '7 days'))
            or d.last_failed_at < (select now() - evervec.setting_interval('dead_letter_keep', '90 days'))
            or d.dead_letter_id in (
                select o.dead_letter_id
                  from evervec.dead_letter o
                 order by o.resolved_at is null, o.dead_letter_id
                 limit (select least(s.letters, p_limit) from surplus s))
         limit p_limit
           for update skip locked
    ), removed as (
        delete from evervec.dead_letter d using forgotten f where d.dead_letter_id = f.dead_letter_id returning 1
    )
    select count(*) from removed
$$;

comment on function evervec.forget_letters(integer) is
$$Internal. Removes up to p_limit dead letters that are past their time or beyond their number; returns how many.$$;

revoke execute on function evervec.forget_letters(integer) from public;
