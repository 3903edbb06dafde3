-- create_taste_function: taste_<source>, weighted sums of the vectors of rows, for many users in one statement.
--
-- pgvector has no vector × scalar, and to build a vector of equal elements costs more than all else: so weights come as levels, 64 an
-- octave, whose vectors are built once. The least is 1 and not a fraction, which could take an element below what a float holds.
-- Vectors of length 1 are not made so again.
-- Locks:  none that matter.
create or replace function evervec.create_taste_function(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_dimensions integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
begin
    perform evervec.create_row_function(
        p_source, 'taste', 'p_persons integer[], p_row_keys jsonb[], p_levels integer[]',
        'table (person integer, total vector, weight double precision, length double precision, sample_size integer, row_keys jsonb[], levels integer[])',
        true,
        format(
            $body$
        begin
            return query
            with level as materialized (
                select l.level, sign(l.level) * power(2::float8, (1281 - abs(l.level)) / 64.0::float8) as weight,
                       array_fill((sign(l.level) * power(2::float8, (1281 - abs(l.level)) / 64.0::float8))::real, array[%s])::vector as factor
                  from (select distinct l.level from unnest($3) as l (level)) l
            )
            select v.person,
                   sum(case when v.norm between 0.9999 and 1.0001 then v.embedding else l2_normalize(v.embedding) end * l.factor),
                   sum(abs(l.weight)), sum(abs(l.weight) * v.norm), count(*)::integer,
                   array_agg(v.row_key) filter (where l.level > 0), array_agg(l.level) filter (where l.level > 0)
              from (select k.person, k.row_key, k.level, e.%I::vector as embedding, vector_norm(e.%I::vector) as norm
                      from unnest($1, $2, $3) as k (person, row_key, level)
                      join %s e on %s
                     where e.%I is not null) v
              join level l on l.level = v.level
             where v.norm > 0
             group by v.person;
        end
            $body$,
            v_dimensions, p_source.vector_column, p_source.vector_column, evervec.qualified_name(p_source.target),
            evervec.key_match(p_source, 'e', true), p_source.vector_column),
        'set plan_cache_mode = force_custom_plan set jit = off');
end
$$;

comment on function evervec.create_taste_function(evervec.source) is
$$Internal. Creates or replaces taste_<source>.$$;

revoke execute on function evervec.create_taste_function(evervec.source) from public;
