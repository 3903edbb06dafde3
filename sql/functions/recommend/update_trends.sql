-- update_trends: counts anew what people did with rows lately, for sources where they did something since the last time.
--
-- One person counts once for a row: by what they did most for it, less what they did most against it. So nobody makes a trend alone.
-- Ages are those at the beginning of the hour, so that within one only rows change that somebody did something with; their order stays right
-- between counts, because all halve alike.
-- Locks:  the trends that change. Of two that count at once, one leaves it to the other.
-- needs: functions/control/setting_interval.sql
-- needs: functions/core/lock_key.sql
create or replace function evervec.update_trends()
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_since     timestamptz := now() - evervec.setting_interval('trend_period', '30 days');
    v_half_life double precision := greatest(extract(epoch from evervec.setting_interval('trend_half_life', '7 days')), 1);
    v_types     jsonb := (select jsonb_object_agg(t.name, t.weight) from evervec.interaction_type t);
    v_source    record;
    v_rows      bigint;
    v_changed   bigint := 0;
begin
    if not pg_try_advisory_xact_lock(evervec.lock_key('trends')) then
        return 0;
    end if;
    for v_source in
        with recent as (
            select i.source_id, bit_xor(jsonb_hash_extended(i.row_key, i.interaction_id)) as interactions
              from evervec.interaction i
             where i.occurred_at > v_since and i.row_key is not null
             group by i.source_id
        )
        select s.source_id, h.counted
          from evervec.source s
          left join recent r on r.source_id = s.source_id
          left join evervec.trend_state t on t.source_id = s.source_id
         cross join lateral (
            select sha256(convert_to(jsonb_build_array(r.interactions, v_types, v_half_life)::text, 'UTF8')) as counted) h
         where h.counted is distinct from t.counted and (r.interactions is not null or t.counted is not null)
    loop
        with person as (
            select i.row_key,
                   greatest(max(c.weight), 0) + least(min(c.weight), 0) as weight
              from evervec.interaction i
              join evervec.interaction_type t on t.name = i.type
             cross join lateral (
                select t.weight * 0.5 ^ (greatest(extract(epoch from date_trunc('hour', now()) - i.occurred_at)::double precision, 0) / v_half_life)
                       as weight) c
             where i.source_id = v_source.source_id and i.occurred_at > v_since and i.row_key is not null
             group by i.row_key, i.user_id
        ), counted as materialized (
            -- Rounded, because a sum of the same numbers in another order is not always the same.
            select p.row_key, round(sum(p.weight)::numeric, 6)::double precision as score
              from person p
             group by p.row_key
            having sum(p.weight) >= 0.000001
        ), gone as (
            delete from evervec.trend t
             where t.source_id = v_source.source_id and not exists (select from counted c where c.row_key = t.row_key)
            returning 1
        ), stored as (
            insert into evervec.trend as t (source_id, row_key, score)
            select v_source.source_id, c.row_key, c.score
              from counted c
                on conflict (source_id, row_key) do update
               set score = excluded.score, updated_at = now()
             where t.score <> excluded.score
            returning 1
        )
        select (select count(*) from gone) + (select count(*) from stored) into v_rows;
        v_changed := v_changed + v_rows;
        insert into evervec.trend_state (source_id, counted)
        values (v_source.source_id, v_source.counted)
            on conflict (source_id) do update set counted = excluded.counted, counted_at = clock_timestamp();
    end loop;
    return v_changed;
end
$$;

comment on function evervec.update_trends() is
$$Counts what people did with rows in the last 30 days (setting trend_period) for the type trending of recommend, in sources where that has changed, and returns how many rows have another count now. One person counts once for a row, by the weight of what they did most for it, less that of what they did most against it (evervec.interaction_type), halved for every 7 days (trend_half_life) that it is ago. Maintenance calls it every 5 minutes.$$;

revoke execute on function evervec.update_trends() from public;
