-- weights_query: the text of the query over ($1 users) that gives how much each row counts for each of them, by a kind of preference.
--
-- docs/people.md has what this is as formulas. Numbers of the application's are taken to be within a million and a billionth of it, so
-- that no product of them is infinite, or too small for a float.
-- Locks:  none.
create or replace function evervec.weights_query(p_source evervec.source, p_preference evervec.preference, p_signals text[])
returns text
language plpgsql stable
set search_path from current
set extra_float_digits = 3
as $$
declare
    v_weighting evervec.weighting;
    v_number    text := 'case when %1$s = ''NaN'' then null when abs(%1$s) >= 1e-9 then least(greatest(%1$s, -1e6), 1e6) else 0 * %1$s end';
    v_rated     text;
    v_decay     text;
    v_curve     text;
    v_legs      text[];
    v_types     text[];
begin
    select * into v_weighting from evervec.weighting w where w.name = p_preference.weighting;
    -- Of x.rating, among the ratings of a user that a window holds.
    v_rated := format('coalesce((x.rating - %s) / %s::float8, %s::float8)',
                      case when v_weighting.own_mean
                           then format('(coalesce(sum(x.rating) over person, 0) + %s::float8) / (count(x.rating) over person + 1)',
                                       v_weighting.rating_middle)
                           else v_weighting.rating_middle || '::float8' end,
                      v_weighting.rating_scale, v_weighting.unrated);
    v_decay := case when v_weighting.half_life is null then '1::float8'
                    else format('power(0.5::float8, least(date_part(''epoch'', now() - least(greatest(coalesce(%%1$s, now()), now() - interval ''1000 years''), now())) / %s::float8, 60))',
                                date_part('epoch', v_weighting.half_life)) end;
    v_curve := case v_weighting.curve when 'linear' then 'least(greatest(%1$s, 0) / %2$s::float8, 1)'
                                      else 'greatest(%1$s, 0) / (greatest(%1$s, 0) + %2$s::float8)' end;

    select array_agg(t.name order by t.name)
      into v_types
      from evervec.interaction_type t
     where p_preference.types is null or t.name = any (p_preference.types);
    if v_types is not null then
        v_legs := array[format(
            $sql$
            select i.person, i.row_key, i.weight * %s as weight
              from (select u.ordinality as person, i.row_key, %s as weight, sum(%s) as times
                      from unnest($1) with ordinality as u (user_id, ordinality)
                      join evervec.interaction i on i.user_id = u.user_id
                      join evervec.interaction_type t on t.name = i.type
                     where i.source_id = %s and i.row_key is not null and i.occurred_at > now() - %L::interval
                       and i.type = any (%L) and not t.rated
                     group by u.ordinality, i.row_key, t.name) i
            $sql$,
            format(v_curve, 'i.times', v_weighting.saturation), format(v_number, 't.weight'), format(v_decay, 'i.occurred_at'),
            p_source.source_id, v_weighting.period, v_types),
        format(
            $sql$
            select x.person, x.row_key, x.weight * x.decay * %s
              from (select distinct on (u.ordinality, i.row_key, i.type)
                           u.ordinality as person, i.row_key, i.type, %s as weight, %s as rating, %s as decay
                      from unnest($1) with ordinality as u (user_id, ordinality)
                      join evervec.interaction i on i.user_id = u.user_id
                      join evervec.interaction_type t on t.name = i.type
                     where i.source_id = %s and i.row_key is not null and i.occurred_at > now() - %L::interval
                       and i.type = any (%L) and t.rated
                     order by u.ordinality, i.row_key, i.type, i.occurred_at desc, i.interaction_id desc) x
            window person as (partition by x.person, x.type)
            $sql$,
            v_rated, format(v_number, 't.weight'), format(v_number, 'i.value'), format(v_decay, 'i.occurred_at'),
            p_source.source_id, v_weighting.period, v_types)];
    end if;
    v_legs := v_legs || array(
        select format(
            $sql$
            select u.ordinality, s.row_key, s.weight
              from unnest($1) with ordinality as u (user_id, ordinality)
              cross join lateral (
                select x.row_key,
                       (%s) * coalesce(%s, 1) * case when x.amount is null or x.amount = 'NaN' then 1 else %s end * %s * %s
                       * coalesce(%L::jsonb -> x.frequency, %L, '1')::float8 as weight
                  from (select s.row_key, %s as rating, s.frequency, s.amount, s.weight, s.at
                          from evervec.%I(u.user_id) s
                         where s.row_key is not null) x
                window person as ()) s
            $sql$,
            format(v_number, s.weight || '::float8'), format(v_number, 'x.weight'),
            format(v_curve, format(v_number, 'x.amount'), v_weighting.saturation), v_rated, format(v_decay, 'x.at'),
            v_weighting.frequency, v_weighting.frequency -> '', format(v_number, 's.rating'),
            'signal_' || p_source.name || '_' || s.name)
          from evervec.signal s
         where s.source_id = p_source.source_id and s.name = any (p_signals)
           and (p_preference.signals is null or s.name = any (p_preference.signals))
         order by s.name);
    if v_legs is null or cardinality(v_legs) = 0 then
        return null;
    end if;
    -- What remains of sums that cancel out is nothing.
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

comment on function evervec.weights_query(evervec.source, evervec.preference, text[]) is
$$Internal. The text of the query over ($1 users) that gives person (a position in $1), row_key and weight; NULL where nothing counts.$$;

revoke execute on function evervec.weights_query(evervec.source, evervec.preference, text[]) from public;
