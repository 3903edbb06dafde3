-- learn: makes the preferences of some users anew, from what they did and what the signals say; for how many it could.
--
-- One statement for all of them, as many as fit into memory together. Weights become levels, 64 an octave (1 %) from 2^24 to 2^-64, so
-- that few different ones meet pgvector, which has no vector × scalar. What all rows of the source have in common is taken away from
-- the sum, unless nothing else is in it.
-- Without parallel workers: they would hand over nearly as many groups as they read rows, which takes longer than to read them.
-- Locks:  their rows of evervec.user_preference; those of centre_of.
-- needs: functions/preference/preferences_of.sql
-- needs: functions/preference/weights_query.sql
-- needs: functions/preference/find_tastes.sql
-- needs: functions/preference/centre_of.sql
create or replace function evervec.learn(p_source evervec.source, p_users text[], p_hashes bytea[], p_preference text default null)
returns integer
language plpgsql
set search_path from current
set max_parallel_workers_per_gather = 0
as $$
declare
    v_centre     double precision[] := evervec.centre_of(p_source)::real[];
    v_preference evervec.preference;
    v_query      text;
    v_persons    integer[];
    v_row_keys   jsonb[];
    v_levels     integer[];
    v_tastes     integer[];
    v_learned    integer;
    v_most       integer := 0;
begin
    for v_preference in
        select * from evervec.preferences_of(p_source.source_id) p where p_preference is null or p.name = p_preference
    loop
        v_query := evervec.weights_query(p_source, v_preference);
        execute format(
            $sql$
            select coalesce(array_agg(l.person), '{}') as persons, coalesce(array_agg(l.row_key), '{}') as row_keys,
                   coalesce(array_agg(l.level), '{}') as levels
              from (select w.person, w.row_key, (sign(w.weight) * (1 + round(64 * (24 - ln(least(abs(w.weight), power(2::float8, 24))) / ln(2::float8)))))::integer
                      from (%s) as w (person, row_key, weight)
                     where abs(w.weight) >= power(2::float8, -64)
                     %s) as l (person, row_key, level)
            $sql$,
            v_query, case when v_preference.tastes > 1 then 'order by w.person, abs(w.weight) desc, w.row_key' end)
            into v_persons, v_row_keys, v_levels using p_users, p_source;
        v_tastes := case when v_preference.tastes = 1 then array_fill(1, array[cardinality(v_persons)])
                         else evervec.find_tastes(p_source, v_persons, v_row_keys, v_levels, v_preference.tastes) end;
        execute format(
            $sql$
            with summed as materialized (
                select t.person, t.taste, t.sample_size as n, vector_norm(t.total) / t.weight as agreement, t.weight, t.length / t.weight as length, t.total,
                       case when t.balance <> 0 and $7 is not null then t.total - vector_avg(1 / t.balance || $7) end as centred,
                       array(select k.row_key
                               from unnest(t.row_keys, t.levels) as k (row_key, level)
                              order by k.level, k.row_key
                              limit 50) as liked
                  from evervec.%I($1, $2, $3, $4) t
            ), learned as (
                select s.*, row_number() over person as number, (s.weight / sum(s.weight) over (partition by s.person)) as share,
                       case when vector_norm(s.centred) > 1e-5 * s.weight then l2_normalize(s.centred) else l2_normalize(s.total) end as direction
                  from summed s
                 where s.agreement > 1e-5
                window person as (partition by s.person order by s.weight desc, s.taste)
            ), present as (
                select u.user_id, u.inputs_hash, coalesce(l.number, 1) as taste, %s as embedding, coalesce(l.share, 1) as share,
                       coalesce((2.5 + l.n * least(l.agreement, 1)) / (5 + l.n), 0.5) as strength,
                       coalesce((l.n + 5) / (l.n + 10)::float8, 0.5) as confidence, coalesce(l.n, 0) as sample_size, coalesce(l.liked, '{}') as liked
                  from unnest($8, $9) with ordinality as u (user_id, inputs_hash, person)
                  left join learned l using (person)
            ), written as (
                insert into evervec.user_preference as p
                       (user_id, source_id, preference_type, taste, embedding, share, strength, confidence, sample_size, liked, inputs_hash, model_id, updated_at)
                select r.user_id, $5, $6, r.taste, r.embedding, r.share, r.strength, r.confidence, r.sample_size, r.liked, r.inputs_hash, $10, clock_timestamp()
                  from present r
                 order by r.user_id, r.taste
                on conflict (source_id, preference_type, user_id, taste) do update
                   set embedding   = excluded.embedding,
                       share       = excluded.share,
                       strength    = excluded.strength,
                       confidence  = excluded.confidence,
                       sample_size = excluded.sample_size,
                       liked       = excluded.liked,
                       inputs_hash = excluded.inputs_hash,
                       model_id    = excluded.model_id,
                       updated_at  = excluded.updated_at
            ), fewer as (
                delete from evervec.user_preference p
                 using (select r.user_id, max(r.taste) as most from present r group by r.user_id) r
                 where p.source_id = $5 and p.preference_type = $6 and p.user_id = r.user_id and p.taste > r.most
            )
            select count(*) from learned l where l.number = 1
            $sql$,
            'taste_' || p_source.name,
            case when p_source.distance in ('cosine', 'inner_product') then 'l.direction'
                 else 'case when l.n > 0 then vector_avg(array_prepend(1 / l.length, l.direction::real[]::float8[])) end' end)
            into v_learned
            using v_persons, v_row_keys, v_levels, v_tastes, p_source.source_id, v_preference.name, v_centre,
                  p_users, p_hashes, p_source.model_id;
        v_most := greatest(v_most, v_learned);
    end loop;
    return v_most;
end
$$;

comment on function evervec.learn(evervec.source, text[], bytea[], text) is
$$Internal. Makes preferences of users anew. p_hashes: their inputs, as user_inputs() has them; p_preference: one kind, NULL: all.$$;

revoke execute on function evervec.learn(evervec.source, text[], bytea[], text) from public;
