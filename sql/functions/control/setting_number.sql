-- setting_number: a threshold from evervec.setting; the default where it is missing or no number, so that nothing fails for it.
--
-- Locks:  none.
create or replace function evervec.setting_number(p_name text, p_default numeric)
returns numeric
language plpgsql stable
set search_path from current
as $$
begin
    return coalesce((select (s.value #>> '{}')::numeric from evervec.setting s where s.name = p_name), p_default);
exception when data_exception then
    return p_default;
end
$$;

comment on function evervec.setting_number(text, numeric) is
$$Internal. A number from evervec.setting, or the default.$$;

revoke execute on function evervec.setting_number(text, numeric) from public;
