-- sees_row: whether the caller sees a row of a source; for the policy on evervec.trend.
--
-- Runs as whoever reads the table, whose policies on the vectors hold.
-- Locks:  ACCESS SHARE on the embedding table.
-- needs: functions/recommend/presence_query.sql
create or replace function evervec.sees_row(p_source_id integer, p_row_key jsonb)
returns boolean
language plpgsql stable
set search_path from current
as $$
declare
    v_count bigint;
begin
    execute evervec.presence_query(p_source_id) into v_count using array[p_row_key];
    return v_count > 0;
end
$$;

comment on function evervec.sees_row(integer, jsonb) is
$$Internal. Whether the caller sees a row's vector.$$;

revoke execute on function evervec.sees_row(integer, jsonb) from public;
