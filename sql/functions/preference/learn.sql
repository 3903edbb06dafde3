-- learn: makes the preferences of some users anew, from what they did and what the signals say; how many have one now.
--
-- One statement for all of them. Users of whom nothing can be learned lose what they had.
-- Locks:  their rows of evervec.user_preference.
-- Raises: what the signals' queries raise
-- needs: functions/preference/preferences_of.sql
-- needs: functions/preference/weights_query.sql
create or replace function evervec.learn(
    p_source     evervec.source,
    p_users      text[],
    p_hashes     bytea[],
    p_preference text default null,
    p_signals    text[] default null
)
returns integer
language plpgsql
set search_path from current
as $$
declare
    v_preference evervec.preference;
    v_query      text;
    v_persons    integer[];
    v_row_keys   jsonb[];
    v_levels     integer[];
    v_learned    integer;
    v_most       integer := 0;
begin
    for v_preference in
        select * from evervec.preferences_of(p_source.source_id) p where p_preference is null or p.name = p_preference
    loop
        v_query := evervec.weights_query(p_source, v_preference, p_signals);
        v_persons := '{}';
        v_row_keys := '{}';
        v_levels := '{}';
        if v_query is not null then
            execute format(
                $sql$
                select array_agg(l.person), array_agg(l.row_key), array_agg(l.level)
                  from (select w.person, w.row_key,
                               (sign(w.weight) * (1 + round(64 / ln(2::float8)
                                                            * ln(max(abs(w.weight)) over (partition by w.person) / abs(w.weight)))))::integer as level
                          from (%s) w) l
                 where abs(l.level) <= 1281
                $sql$,
                v_query)
                into v_persons, v_row_keys, v_levels using p_users;
        end if;
        execute format(
            $sql$
            with learned as materialized (
                select t.person, t.sample_size as n, t.length / t.weight as length, vector_norm(t.total) / t.weight as agreement, t.total,
                       array(select k.row_key
                               from unnest(t.row_keys, t.levels) as k (row_key, level)
                              order by k.level, k.row_key
                              limit 50) as liked
                  from evervec.%I($1, $2, $3) t
            ), written as (
                insert into evervec.user_preference as p
                       (user_id, source_id, preference_type, taste, embedding, strength, confidence, sample_size, liked, inputs_hash, model_id, updated_at)
                select u.user_id, $4, $5, 1, %s, (2.5 + l.n * least(l.agreement, 1)) / (5 + l.n), (l.n + 5) / (l.n + 10)::float8, l.n, l.liked,
                       u.inputs_hash, $6, clock_timestamp()
                  from learned l
                  join unnest($7, $8) with ordinality as u (user_id, inputs_hash, person) using (person)
                 where l.agreement > 1e-5
                 order by u.user_id
                on conflict (source_id, preference_type, user_id, taste) do update
                   set embedding   = excluded.embedding,
                       strength    = excluded.strength,
                       confidence  = excluded.confidence,
                       sample_size = excluded.sample_size,
                       liked       = excluded.liked,
                       inputs_hash = excluded.inputs_hash,
                       model_id    = excluded.model_id,
                       updated_at  = excluded.updated_at
                returning p.user_id
            ), gone as (
                delete from evervec.user_preference p
                 where p.source_id = $4 and p.preference_type = $5 and p.user_id = any ($7)
                   and p.user_id not in (select w.user_id from written w)
            )
            select count(*) from written
            $sql$,
            'taste_' || p_source.name,
            case when p_source.distance in ('cosine', 'inner_product') then 'l2_normalize(l.total)'
                 else 'vector_avg(array_prepend(1 / l.length, l2_normalize(l.total)::real[]::float8[]))' end)
            into v_learned
            using v_persons, v_row_keys, v_levels, p_source.source_id, v_preference.name, p_source.model_id, p_users, p_hashes;
        v_most := greatest(v_most, v_learned);
    end loop;
    return v_most;
end
$$;

comment on function evervec.learn(evervec.source, text[], bytea[], text, text[]) is
$$Internal. Makes preferences of users anew. p_hashes: their inputs, as user_inputs() has them; p_preference: one kind, NULL all; p_signals: which signals are asked.$$;

revoke execute on function evervec.learn(evervec.source, text[], bytea[], text, text[]) from public;
