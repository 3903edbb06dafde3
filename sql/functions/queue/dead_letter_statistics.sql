-- dead_letter_statistics: how many jobs gave up, and why.
--
-- Locks:  none.
-- Raises: VE101 unknown source
create or replace function evervec.dead_letter_statistics(p_source text default null)
returns table (open bigint, resolved bigint, by_class jsonb, recent jsonb, oldest timestamptz)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source_id integer := case when p_source is not null then (evervec.source_named(p_source)).source_id end;
begin
    return query
    with letter as (
        select d.resolved_at is null as is_open, d.error_class, d.first_failed_at
          from evervec.dead_letter d
         where p_source is null or d.source_id = v_source_id
    )
    select count(*) filter (where l.is_open),
           count(*) filter (where not l.is_open),
           (select coalesce(jsonb_object_agg(c.error_class, c.letters), '{}')
              from (select o.error_class, count(*) as letters from letter o where o.is_open group by o.error_class) c),
           (select coalesce(jsonb_agg(to_jsonb(r) order by r.dead_letter_id desc), '[]')
              from (select d.dead_letter_id, d.source, d.row_key, d.error_class, d.status_code, d.message, d.last_failed_at
                      from evervec.dead_letters(p_source, p_limit => 10) d) r),
           min(l.first_failed_at) filter (where l.is_open)
      from letter l;
end
$$;

comment on function evervec.dead_letter_statistics(text) is
$$One row about the dead letters of one source or (NULL) of all: how many are open and how many resolved; of the open ones their number by error class, the ten newest, and when the oldest first failed. Raises VE101.$$;

revoke execute on function evervec.dead_letter_statistics(text) from public;
