-- create_taste_functions: the generated functions that make preferences of the vectors of a source, for many people in one statement.
--
-- taste_<source>(persons, row_keys, levels, tastes) → weighted sums, one a person and taste
-- taste_of_<source>(persons, row_keys, sums' persons, sums' tastes, sums) → for each row the taste of its person's that is nearest
-- centre_<source>(percent) → the mean of a share of the vectors, the same at each call
--
-- pgvector has no vector × scalar, and to build a vector of equal elements costs more than all else: so weights come as levels, 64 an
-- octave, whose vectors are built once; level 1 stands for 2^24, and the last one, for 2^-64, is made 1 and not a fraction, which could take
-- an element below what a float holds. Each row is read once, for all who like it.
-- The planner takes vectors for short and would sort them by the gigabyte, where few sums are all that a hash table has to hold.
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
    v_key               record;
begin
    select string_agg(format('(k.row_key->>%L)::%s as key_%s', c.name, c.type, c.n), ', ' order by c.n) as columns,
           string_agg(c.n::text, ', ' order by c.n) as numbers,
           string_agg(format('e.%I %s k.key_%s', c.target, c.operator, c.n), ' and ' order by c.n) as match
      into v_key
      from unnest(p_source.key_columns, p_source.target_key_columns, p_source.key_types, p_source.key_operators)
           with ordinality as c (name, target, type, operator, n);
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
            ), liking as (
                select %2$s, array_agg(k.person) as persons, array_agg(k.level) as levels, array_agg(k.taste) as tastes
                  from unnest($1, $2, $3, $4) as k (person, row_key, level, taste)
                 group by %3$s
            )
            select p.person, p.taste, sum(v.unit * l.factors), sum(abs(l.factor)), sum(l.factor), sum(abs(l.factor) * v.length), count(*)::integer,
                   array_agg(v.row_key) filter (where l.level > 0), array_agg(l.level) filter (where l.level > 0)
              from (select k.persons, k.levels, k.tastes, %4$s as row_key, %5$s as length,
                           case when inner_product(e.%6$I::vector, e.%6$I::vector) between 0.9998 and 1.0002 then e.%6$I::vector
                                else l2_normalize(e.%6$I::vector) end as unit
                      from liking k
                      join %7$s e on %8$s
                     where vector_norm(e.%6$I::vector) > 0
                    offset 0) v
              cross join lateral unnest(v.persons, v.levels, v.tastes) as p (person, level, taste)
              join level l on l.level = p.level
             group by p.person, p.taste;
        end
            $body$,
            v_dimensions, v_key.columns, v_key.numbers, evervec.key_call(p_source, 'e', true),
            case when p_source.distance in ('l2', 'l1') then format('vector_norm(e.%I::vector)', p_source.vector_column) else '1' end,
            p_source.vector_column, v_target, v_key.match),
        v_settings || ' set enable_sort = off');
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
