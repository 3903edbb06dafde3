-- create_taste_functions: the generated functions that make preferences of the vectors of a source, for many people in one statement.
--
-- taste_<source>(persons, row_keys, levels, tastes) → weighted sums, one a person and taste
-- taste_of_<source>(persons, row_keys, sums' persons, sums' tastes, sums) → for each row the taste of its person's that is nearest
-- centre_<source>(percent) → the mean of a share of the vectors, the same at each call
--
-- pgvector has no vector × scalar, and to build a vector of equal elements costs more than all else: so weights come as levels, 64 an
-- octave, whose vectors are built once; level 1 stands for 2^24, and the last one, for 2^-64, is made 1 and not a fraction, which could take
-- an element below what a float holds.
-- The planner takes vectors for short and would sort them by the gigabyte, where few sums are all that a hash table
-- has to hold; for that it takes arrays for long, hence the room.
-- Vectors whose length is 1 (to a ten-thousandth) are not made so again.
-- Locks:  none that matter.
create or replace function evervec.create_taste_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_settings constant text := 'set plan_cache_mode = force_custom_plan set max_parallel_workers_per_gather = 0 set jit = off';
    v_dimensions        integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
    v_target            text := evervec.qualified_name(p_source.target);
    v_match             text := evervec.key_match(p_source, 'e', true);
begin
    perform evervec.create_row_function(
        p_source, 'taste', 'p_persons integer[], p_row_keys jsonb[], p_levels integer[], p_tastes integer[]',
        'table (person integer, taste integer, total vector, weight double precision, balance double precision, length double precision, '
        'sample_size integer, row_keys jsonb[], levels integer[])',
        true,
        format(
            $body$
        begin
            return query
            with level as materialized (
                select f.level, f.factor, array_fill(f.factor::real, array[%1$s])::vector as factors
                  from (select l.level, sign(l.level) * power(2::float8, (5633 - abs(l.level)) / 64.0::float8) as factor
                          from (select distinct l.level from unnest($3) as l (level)) l) f
            )
            select v.person, v.taste,
                   sum(case when v.square between 0.9998 and 1.0002 then v.embedding else l2_normalize(v.embedding) end * l.factors),
                   sum(abs(l.factor)), sum(l.factor), sum(abs(l.factor) * %5$s), count(*)::integer,
                   array_agg(v.row_key) filter (where l.level > 0), array_agg(l.level) filter (where l.level > 0)
              from (select k.person, k.row_key, k.level, k.taste, e.%2$I::vector as embedding,
                           inner_product(e.%2$I::vector, e.%2$I::vector) as square
                      from unnest($1, $2, $3, $4) as k (person, row_key, level, taste)
                      join %3$s e on %4$s
                     where e.%2$I is not null
                    offset 0) v
              join level l on l.level = v.level
             where v.square > 0
             group by v.person, v.taste;
        end
            $body$,
            v_dimensions, p_source.vector_column, v_target, v_match,
            case when p_source.distance in ('l2', 'l1') then 'vector_norm(v.embedding)' else '1' end),
        v_settings || ' set enable_sort = off set hash_mem_multiplier = 4');
    perform evervec.create_row_function(
        p_source, 'taste_of', 'p_persons integer[], p_row_keys jsonb[], p_sum_persons integer[], p_sum_tastes integer[], p_sums vector[]',
        'table (ordinal integer, taste integer, similarity double precision)', true,
        format(
            $body$
        begin
            return query
            select distinct on (v.ordinality) v.ordinality::integer, v.taste, v.similarity
              from (select k.ordinality, s.taste, 1 - (e.%1$I::vector <=> s.total) as similarity
                      from unnest($1, $2) with ordinality as k (person, row_key, ordinality)
                      join %2$s e on %3$s
                      join unnest($3, $4, $5) as s (person, taste, total) on s.person = k.person
                     where e.%1$I is not null) v
             where v.similarity <> 'NaN'
             order by v.ordinality, v.similarity desc, v.taste;
        end
            $body$,
            p_source.vector_column, v_target, v_match),
        v_settings);
    perform evervec.create_row_function(
        p_source, 'centre', 'p_percent real', 'vector', true,
        format(
            $body$
        begin
            return (
                select avg(l2_normalize(e.%1$I::vector))
                  from %2$s e tablesample system ($1) repeatable (0)
                 where inner_product(e.%1$I::vector, e.%1$I::vector) > 0);
        end
            $body$,
            p_source.vector_column, v_target),
        v_settings);
end
$$;

comment on function evervec.create_taste_functions(evervec.source) is
$$Internal. Creates or replaces taste_, taste_of_ and centre_<source>.$$;

revoke execute on function evervec.create_taste_functions(evervec.source) from public;
