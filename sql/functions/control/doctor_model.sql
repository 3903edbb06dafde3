-- doctor_model: finding: a source whose model is paused, by whom or by what.
--
-- A key or a quota is a finding until a success shows that it is mended, also between two attempts; a rate limit, which is
-- everyday, only when it has lasted for as long as evervec.setting says.
-- Locks:  none.
-- needs: functions/control/setting_interval.sql
create or replace function evervec.doctor_model(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select case m.pause_class when 'auth' then 'key refused' when 'quota' then 'quota used up' when 'rate_limit' then 'rate limited'
                              else 'model paused' end,
           'error',
           case m.pause_class
               when 'auth' then format('Model "%s" of provider "%s" has no valid key since %s', m.name, m.provider, m.paused_at)
               when 'quota' then format('The quota of model "%s" is used up since %s', m.name, m.paused_at)
               when 'rate_limit' then format('Model "%s" has been held back by rate limits since %s', m.name, m.paused_at)
               else format('Model "%s" is paused until %s', m.name, m.paused_until) end || coalesce(': ' || m.pause_reason, '') || '.',
           format('select evervec.resume_model(%L);', m.name)
      from evervec.model m
     where m.model_id = p_source.model_id
       and case when m.pause_class in ('auth', 'quota') then m.paused_until is not null
                when m.pause_class = 'rate_limit'
                    then m.paused_until > now() and m.paused_at < now() - evervec.setting_interval('alert_rate_limited', '15 minutes')
                else m.paused_until > now() end
$$;

comment on function evervec.doctor_model(evervec.source) is
$$Internal. Finding of doctor: a paused model, and why.$$;

revoke execute on function evervec.doctor_model(evervec.source) from public;
