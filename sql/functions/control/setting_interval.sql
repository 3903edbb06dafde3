-- setting_interval: a threshold from evervec.setting; the default where it is missing or no interval, so that nothing fails for it.
--
-- Locks:  none.
create or replace function evervec.setting_interval(p_name text, p_default interval)
returns interval
language plpgsql stable
set search_path from current
as $$
begin
    return coalesce((select (s.value #>> '{}')::interval from evervec.setting s where s.name = p_name), p_default);
exception when data_exception then
    return p_default;
end
$$;

comment on function evervec.setting_interval(text, interval) is
$$Internal. An interval from evervec.setting, or the default.$$;

revoke execute on function evervec.setting_interval(text, interval) from public;
