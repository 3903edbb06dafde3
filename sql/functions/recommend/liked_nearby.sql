-- liked_nearby: the rows that the users like whose preferences are nearest to a user's; never who they are.
--
-- A neighbour's voice is how near he is; a row's score is the share of voices that it has. From sources where row-level security hides rows
-- only those are told that the caller names, who so learns of none that he does not see.
-- Locks:  none.
-- Raises: VE101 unknown source · VE501 another user's · VE502 no user
-- needs: functions/people/check_user.sql
create or replace function evervec.liked_nearby(
    p_user       text,
    p_source     text,
    p_preference text,
    p_excluded   jsonb[],
    p_limit      integer,
    p_among      jsonb[] default null
)
returns table (row_key jsonb, score double precision)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source;
begin
    perform evervec.check_user(p_user);
    v_source := evervec.source_named(p_source);
    if p_among is null and v_source.source_id <> all (evervec.open_sources()) then
        return;
    end if;
    return query
    with own as materialized (
        select p.embedding
          from evervec.user_preference p
         where p.source_id = v_source.source_id and p.preference_type = p_preference and p.user_id = p_user and p.model_id = v_source.model_id
           and p.embedding is not null
    ), near as materialized (
        select p.user_id, min(p.embedding <=> o.embedding) as distance
          from evervec.user_preference p
          join own o on vector_dims(o.embedding) = vector_dims(p.embedding)
         where p.source_id = v_source.source_id and p.preference_type = p_preference and p.user_id <> p_user
           and p.model_id = v_source.model_id and p.embedding is not null
         group by p.user_id
         order by 2, 1
         limit 50
    ), voice as (
        select n.user_id, greatest(1 - n.distance, 0) as weight
          from near n
         where n.distance <> 'NaN'
    )
    select l.row_key, sum(v.weight) / (select nullif(sum(a.weight), 0) from voice a)
      from voice v
     cross join lateral (
        select distinct k.row_key
          from evervec.user_preference p
         cross join unnest(p.liked) as k (row_key)
         where p.source_id = v_source.source_id and p.preference_type = p_preference and p.user_id = v.user_id) l
     where l.row_key not in (select x.row_key from unnest(p_excluded) as x (row_key))
       and (p_among is null or l.row_key in (select x.row_key from unnest(p_among) as x (row_key)))
     group by l.row_key
    having sum(v.weight) > 0
     order by 2 desc, 1
     limit p_limit;
end
$$;

comment on function evervec.liked_nearby(text, text, text, jsonb[], integer, jsonb[]) is
$$Internal. Rows that the 50 users with the most similar preferences like, with the share of their voices, without p_excluded; p_among: only of these, which must be given where row-level security hides rows of the source. Raises VE101, VE501, VE502.$$;

revoke execute on function evervec.liked_nearby(text, text, text, jsonb[], integer, jsonb[]) from public;
