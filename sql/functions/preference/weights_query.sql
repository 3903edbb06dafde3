-- weights_query: the text of the query over ($1 users, $2 source) that gives how much each row counts for each of them.
--
-- docs/people.md has what this is as formulas. Numbers of the application's are taken to be within a billion and a billionth, so that
-- no product of them is infinite, or too small for a float.
-- Locks:  none.
create or replace function evervec.weights_query(p_source evervec.source, p_preference evervec.preference)
returns text
language plpgsql stable
set search_path from current
set extra_float_digits = 3
as $$
declare
    v_weighting evervec.weighting;
    v_number    text := 'case when %1$s = ''NaN'' then null when abs(%1$s) >= 1e-9 then least(greatest(%1$s, -1e9), 1e9) else 0 * %1$s end';
    v_rated     text;
    v_decay     text := '1';
    v_curve     text;
    v_types     text[];
    v_legs      text[] := '{}';
begin
    select * into v_weighting from evervec.weighting w where w.name = p_preference.weighting;
    -- Of x.rating; its user's others are in the window "person".
    v_rated := format('coalesce(%s::float8 + (x.rating - %s) / %s::float8, %s::float8)', v_weighting.rating_lift,
                      case when v_weighting.own_mean
                           then format('(coalesce(sum(x.rating) over person, 0) + %s::float8) / (count(x.rating) over person + 1)',
                                       v_weighting.rating_middle)
                           else v_weighting.rating_middle || '::float8' end,
                      v_weighting.rating_scale, v_weighting.unrated);
    if v_weighting.half_life is not null then
        v_decay := format($sql$power(0.5::float8, least(date_part('epoch', now() - least(coalesce(%%1$s, now()), now())) / %s::float8, 60))$sql$,
                          date_part('epoch', v_weighting.half_life));
    end if;
    v_curve := format(case v_weighting.curve when 'linear' then 'least(greatest(%%1$s, 0) / %s::float8, 1)'
                                             else 'greatest(%%1$s, 0) / (greatest(%%1$s, 0) + %s::float8)' end, v_weighting.saturation);

    v_types := array(select t.name from evervec.interaction_type t
                      where t.weight <> 0 and (p_preference.types is null or t.name = any (p_preference.types)));
    if v_types <> '{}' then
        v_legs := v_legs || format(
            $sql$
            select i.person, i.row_key, i.weight * %s
              from (select u.person, i.row_key, %s as weight, sum(%s) as times
                      from unnest($1) with ordinality as u (user_id, person)
                      join evervec.interaction i on i.user_id = u.user_id
                      join evervec.interaction_type t on t.name = i.type
                     where i.source_id = %s and i.row_key is not null and i.occurred_at > now() - %L::interval
                       and i.type = any (%L) and not t.rated
                     group by u.person, i.row_key, t.name, t.weight) i
            $sql$,
            format(v_curve, 'i.times'), format(v_number, 't.weight'), format(v_decay, 'i.occurred_at'),
            p_source.source_id, v_weighting.period, v_types);
    end if;
    if exists (select from evervec.interaction_type t where t.rated and t.name = any (v_types)) then
        v_legs := v_legs || format(
            $sql$
            select x.person, x.row_key, x.weight * x.decay * %s
              from (select distinct on (u.person, i.row_key, i.type)
                           u.person, i.row_key, i.type, %s as weight, %s as rating, %s as decay
                      from unnest($1) with ordinality as u (user_id, person)
                      join evervec.interaction i on i.user_id = u.user_id
                      join evervec.interaction_type t on t.name = i.type
                     where i.source_id = %s and i.row_key is not null and i.occurred_at > now() - %L::interval
                       and i.type = any (%L) and t.rated
                     order by u.person, i.row_key, i.type, i.occurred_at desc, i.interaction_id desc) x
            window person as (partition by x.person, x.type)
            $sql$,
            v_rated, format(v_number, 't.weight'), format(v_number, 'i.value'), format(v_decay, 'i.occurred_at'),
            p_source.source_id, v_weighting.period, v_types);
    end if;
    if exists (select from evervec.signal s
                where s.source_id = p_source.source_id and (p_preference.signals is null or s.name = any (p_preference.signals))) then
        v_legs := v_legs || format(
            $sql$
            select x.person, x.row_key,
                   x.signal_weight * coalesce(x.weight, 1) * case when x.amount is null then 1 else %s end
                   * coalesce(%L::jsonb -> x.frequency, %L::jsonb, '1')::float8 * %s * %s
              from (select u.person, s.signal, %s as signal_weight, s.row_key, %s as rating, s.frequency, %s as amount, %s as weight, s.at
                      from unnest($1) with ordinality as u (user_id, person)
                      cross join lateral evervec.user_signals($2, u.user_id, %L) s) x
            window person as (partition by x.person, x.signal)
            $sql$,
            format(v_curve, 'x.amount'), v_weighting.frequency, v_weighting.frequency -> '', v_rated, format(v_decay, 'x.at'),
            format(v_number, 's.signal_weight'), format(v_number, 's.rating'), format(v_number, 's.amount'), format(v_number, 's.weight'),
            p_preference.signals);
    end if;
    if v_legs = '{}' then
        return null;
    end if;
    -- What is left of sums that cancel out is nothing.
    return format(
        $sql$
        select w.person::integer, w.row_key, sum(w.weight) as weight
          from (%s) as w (person, row_key, weight)
         group by w.person, w.row_key
        having abs(sum(w.weight)) > 1e-9 * sum(abs(w.weight))
        $sql$,
        array_to_string(v_legs, ' union all '));
end
$$;

comment on function evervec.weights_query(evervec.source, evervec.preference) is
$$Internal. The text of the query over ($1 users, $2 source) that gives person (a position in $1), row_key and weight; NULL where nothing counts.$$;

revoke execute on function evervec.weights_query(evervec.source, evervec.preference) from public;
