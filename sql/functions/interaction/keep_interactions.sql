-- keep_interactions: checks interactions, and records those whose key was not seen before; the one place where that is done.
--
-- All at once; keys and marks are written in order, so that two who write the same wait for each other and do not deadlock.
-- Locks:  the keys and marks that it writes; those of make_partition for an interaction of a month that has none.
-- Raises: VE101 unknown source · VE202, VE303 bad row_key · VE501, VE502 bad user · VE503 unknown type · VE504 otherwise no interaction
create or replace function evervec.keep_interactions(
    p_interactions jsonb,
    out ids        bigint[],
    out recorded   bigint
)
language plpgsql
set search_path from current
as $$
declare
    v_kept   interval := evervec.setting_interval('interaction_keep', '1 year');
    v_given  evervec.interaction[];
    v_keys   text[];
    v_fresh  evervec.interaction[];
    v_type   text;
    v_detail text;
begin
    perform evervec.check_user(u.user_id)
       from (select distinct i.e ->> 'user' as user_id from jsonb_array_elements(p_interactions) as i (e)) u;

    select i.type into v_type
      from (select distinct i.e ->> 'type' as type from jsonb_array_elements(p_interactions) as i (e)) i
     where not exists (select from evervec.interaction_type t where t.name = i.type)
     limit 1;
    if found then
        raise exception using
            errcode = 'VE503',
            message = format('%s is not a type of interaction', coalesce(quote_literal(v_type), 'NULL')),
            detail  = (select format('There are %s.', string_agg(t.name, ', ' order by t.name)) from evervec.interaction_type t),
            hint    = format('Names are case-sensitive. To add it: SELECT evervec.add_interaction_type(%L, 0.5);', coalesce(v_type, '…'));
    end if;

    with given as materialized (
        select i.n, r.*
          from jsonb_array_elements(p_interactions) with ordinality as i (e, n)
          cross join lateral jsonb_to_record(i.e) as r (
              "user" text, source text, row_key jsonb, type text, value double precision, context jsonb, key text, at timestamptz)
    ), keyed as materialized (
        select s.source, (evervec.source_named(s.source)).source_id, s.places,
               evervec.checked_keys(evervec.source_named(s.source), s.row_keys) as row_keys
          from (
            select g.source, array_agg(g.n order by g.n) filter (where g.row_key is not null) as places,
                   array_agg(g.row_key order by g.n) filter (where g.row_key is not null) as row_keys
              from given g
             group by g.source
          ) s
    ), placed as materialized (
        select u.n, u.row_key from keyed k cross join lateral unnest(k.places, k.row_keys) as u (n, row_key)
    )
    select array_agg(row(nextval('evervec.interaction_interaction_id_seq'), g."user", k.source_id, p.row_key, g.type, g.value,
                         coalesce(g.context, '{}'), coalesce(g.at, now()))::evervec.interaction order by g.n),
           array_agg(g.key order by g.n)
      into v_given, v_keys
      from given g
      join keyed k on k.source is not distinct from g.source
      left join placed p on p.n = g.n;

    select d.problem
      into v_detail
      from unnest(v_given, v_keys) as g (interaction_id, user_id, source_id, row_key, type, value, context, occurred_at, key)
      join evervec.interaction_type t on t.name = g.type
      cross join lateral (
        select case
                   when not abs(g.value) <= 1e9 then format('Its value is %s; a value is a number of at most a billion either way.', g.value)
                   when t.rated and g.value is null then format('It has no value; that of a %s is the rating.', g.type)
                   when t.marks is not null and g.row_key is null then format('It has no row_key; a %s is about a row.', g.type)
                   when jsonb_typeof(g.context) <> 'object' then 'Its context is no JSON object.'
                   when octet_length(g.context::text) > 8192
                       then format('Its context has %s bytes; 8192 are the most.', octet_length(g.context::text))
                   when g.key !~ '\S' or octet_length(g.key) > 200 then 'Its key is blank, or longer than 200 bytes.'
                   when not g.occurred_at between now() - v_kept and now() + interval '1 day'
                       then format('It is of %s; interactions are kept for %s, and are at most a day ahead.', g.occurred_at, v_kept)
               end as problem
      ) d
     where d.problem is not null
     limit 1;
    if found then
        raise exception using
            errcode = 'VE504',
            message = 'this interaction cannot be recorded',
            detail  = v_detail,
            hint    = 'For example: SELECT evervec.record_interaction(''ada'', ''film'', ''{"id": 1}'', ''rating'', 4.5);';
    end if;

    -- A key that another transaction is writing is waited for; what that one has recorded is seen by the next statement.
    with fresh as (
        insert into evervec.interaction_key (user_id, key, interaction_id)
        select g.user_id, g.key, g.interaction_id
          from unnest(v_given, v_keys) as g (interaction_id, user_id, source_id, row_key, type, value, context, occurred_at, key)
         where g.key is not null
         order by g.user_id, g.key, g.interaction_id
        on conflict do nothing
        returning interaction_id
    )
    select coalesce(array_agg(g.given), '{}'), count(*)
      into v_fresh, recorded
      from (select unnest(v_given) as given, unnest(v_keys) as key) g
     where g.key is null or (g.given).interaction_id in (select f.interaction_id from fresh f);
    perform evervec.make_partition(m.month at time zone 'UTC')
       from (select distinct date_trunc('month', f.occurred_at at time zone 'UTC') as month from unnest(v_fresh) as f) m;
    insert into evervec.interaction (interaction_id, user_id, source_id, row_key, type, value, context, occurred_at)
    overriding system value
    select f.* from unnest(v_fresh) as f;
    insert into evervec.row_mark as m (user_id, source_id, row_key, mark, marked_at)
    select distinct on (f.user_id, f.source_id, f.row_key) f.user_id, f.source_id, f.row_key, t.marks, f.occurred_at
      from unnest(v_fresh) as f
      join evervec.interaction_type t on t.name = f.type
     where t.marks is not null
     order by f.user_id, f.source_id, f.row_key, f.occurred_at desc, f.interaction_id desc
    on conflict (user_id, source_id, row_key) do update
       set mark = excluded.mark, marked_at = excluded.marked_at
     where excluded.marked_at >= m.marked_at;

    ids := array(
        select coalesce((select k.interaction_id from evervec.interaction_key k where k.user_id = g.user_id and k.key = g.key), g.interaction_id)
          from unnest(v_given, v_keys) with ordinality
               as g (interaction_id, user_id, source_id, row_key, type, value, context, occurred_at, key, n)
         order by g.n);
end
$$;

comment on function evervec.keep_interactions(jsonb) is
$$Internal. Records interactions, an array of objects with user, source, row_key, type, value, context, key and at; ids: of each, that of then for a key seen before; recorded: how many are new. Raises VE101, VE202, VE303, VE501, VE502, VE503, VE504.$$;

revoke execute on function evervec.keep_interactions(jsonb) from public;
