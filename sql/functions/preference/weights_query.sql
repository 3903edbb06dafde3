-- weights_query: the text of the query over ($1 users, $2 source) that gives how much each row counts for each of them.
--
-- docs/people.md has what this is as formulas. Numbers of the application's are taken to be within a billion and a billionth, so that
-- no product of them is infinite, or too small for a float. What people did is read and grouped once, whatever there are of types,
-- and by the hash of a key before the key, as jsonb takes its time to be compared.
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
    v_decay     text;
    v_curve     text;
    v_types     text[];
    v_parts     record;
    v_done      text;
    v_said      text;
begin
    select * into v_weighting from evervec.weighting w where w.name = p_preference.weighting;
    -- Of a rating; its user's others are in the window "person".
    v_rated := format('coalesce(%s::float8 + (%%1$s - %s) / %s::float8, %s::float8)', v_weighting.rating_lift,
                      case when v_weighting.own_mean
                           then format('(coalesce(sum(%%1$s) over person, 0) + %s::float8) / (count(%%1$s) over person + 1)', v_weighting.rating_middle)
                           else v_weighting.rating_middle || '::float8' end,
                      v_weighting.rating_scale, v_weighting.unrated);
    -- Of a time in seconds.
    v_decay := case when v_weighting.half_life is null then '1::float8'
                    else format('power(0.5::float8, least(greatest((%s::float8 - %%1$s) / %s::float8, 0), 40))',
                                date_part('epoch', now()), date_part('epoch', v_weighting.half_life)) end;
    v_curve := format(case v_weighting.curve when 'linear' then 'least(greatest(%%1$s, 0) / %1$s::float8, 1)'
                                             else 'greatest(%%1$s, 0) / (greatest(%%1$s, 0) + %1$s::float8)' end, v_weighting.saturation);

    v_types := array(select t.name from evervec.interaction_type t
                      where t.weight <> 0 and (p_preference.types is null or t.name = any (p_preference.types)));
    select string_agg(
               format(case when t.rated then 'max(array[date_part(''epoch'', i.occurred_at), i.interaction_id, %3$s]) filter (where i.type = %1$L) as type_%2$s'
                           else 'coalesce(sum(%4$s) filter (where i.type = %1$L), 0) as type_%2$s' end,
                      t.name, t.n, format(v_number, 'i.value'), format(v_decay, 'date_part(''epoch'', i.occurred_at)')), ', ') as grouped,
           string_agg(
               format(case when t.rated then format('case when g.type_%%2$s is null then 0 else %%1$s::float8 * %s * %s end', format(v_decay, 'g.type_%2$s[1]'),
                                           format(v_rated, 'g.type_%2$s[3]'))
                           else format('%%1$s::float8 * %s', format(v_curve, 'g.type_%2$s')) end || ' as type_%2$s',
                      least(greatest(t.weight, -1e9), 1e9), t.n), ', ') as weighed,
           string_agg(format('w.type_%s', t.n), ' + ') as total,
           string_agg(format('abs(w.type_%s)', t.n), ' + ') as gross
      into v_parts
      from (select t.*, row_number() over (order by t.name) as n from evervec.interaction_type t where t.name = any (v_types)) t;
    if v_types <> '{}' then
        v_done := format(
            $sql$
            select w.person, w.row_key, %s, %s
              from (select g.person, g.row_key, %s
                      from (select u.person, i.row_key, %s
                              -- Grouped, so that the planner knows each user to be there once, and hashes them and not the interactions.
                              from (select u.user_id, min(u.person)::integer as person
                                      from unnest($1) with ordinality as u (user_id, person)
                                     group by u.user_id) u
                              join evervec.interaction i on i.user_id = u.user_id
                             where i.source_id = %s and i.row_key is not null and i.occurred_at > now() - %L::interval%s
                             group by u.person, jsonb_hash_extended(i.row_key, 0), i.row_key) g
                    window person as (partition by g.person)) w
            $sql$,
            v_parts.total, v_parts.gross, v_parts.weighed, v_parts.grouped, p_source.source_id, v_weighting.period,
            case when p_preference.types is not null then format(' and i.type = any (%L)', v_types) end);
    end if;
    if exists (select from evervec.signal s
                where s.source_id = p_source.source_id and (p_preference.signals is null or s.name = any (p_preference.signals))) then
        v_said := format(
            $sql$
            select w.person, w.row_key, sum(w.weight), sum(abs(w.weight))
              from (select x.person, x.row_key,
                           x.signal_weight * coalesce(x.weight, 1) * case when x.amount is null then 1 else %s end
                           * coalesce(%L::jsonb -> x.frequency, %L::jsonb, '1')::float8 * %s * %s as weight
                      from (select u.person::integer, s.signal, %s as signal_weight, s.row_key, %s as rating, s.frequency, %s as amount, %s as weight,
                                   coalesce(date_part('epoch', s.at), 'Infinity') as at
                              from unnest($1) with ordinality as u (user_id, person)
                              cross join lateral evervec.user_signals($2, u.user_id, %L) s) x
                    window person as (partition by x.person, x.signal)) w
             group by w.person, w.row_key
            $sql$,
            format(v_curve, 'x.amount'), v_weighting.frequency, v_weighting.frequency -> '', format(v_rated, 'x.rating'), format(v_decay, 'x.at'),
            format(v_number, 's.signal_weight'), format(v_number, 's.rating'), format(v_number, 's.amount'), format(v_number, 's.weight'),
            p_preference.signals);
    end if;
    -- What is left of sums that cancel out is nothing.
    return format(
        $sql$
        select w.person, w.row_key, w.weight
          from (%s) as w (person, row_key, weight, gross)
         where abs(w.weight) > 1e-9 * w.gross
        $sql$,
        case when v_done is not null and v_said is not null
             then format('select b.person, b.row_key, sum(b.weight), sum(b.gross) '
                         'from (%s union all %s) as b (person, row_key, weight, gross) group by b.person, b.row_key', v_done, v_said)
             else coalesce(v_done, v_said, 'select null::integer, null::jsonb, null::float8, null::float8 where false') end);
end
$$;

comment on function evervec.weights_query(evervec.source, evervec.preference) is
$$Internal. The text of the query over ($1 users, $2 source) that gives person (a position in $1), row_key and weight.$$;

revoke execute on function evervec.weights_query(evervec.source, evervec.preference) from public;
