-- search_body: the body of a generated search function, with or without a filter.
--
-- The n nearest come from one statement, of which three things are to be known. It is planned once a session and for any limit, so
-- sorting is made dear to the planner (a SET clause): the index is what is left. Whatever the index gives is sorted again, because a
-- relaxed iterative scan is almost in order. And where it gives fewer rows than are wanted, or is not worth asking, the part "exact"
-- reads all that qualifies; its condition is no row's, so PostgreSQL begins that part only where it holds.
-- Threshold, returned columns and diversity come after that, where they cannot keep the index from being used.
--
-- The columns of others stand behind the aliases e, f and s, our variables stand alone, and parameters are $1, $2, …: no name of theirs
-- can be taken for one of ours.
--
-- p_arguments: the numbers of the parameters: limit, min_similarity, exclude, diversity
-- p_excluded:  condition on e: it is one of those to leave out
-- p_filter:    FROM items that leave of e what qualifies, or nothing
-- p_visited:   PL/pgSQL expression: how many vectors an index scan would have to look at; NULL where an exact search is cheaper
-- p_result, p_join: what is returned of n, the nearest, and of s, joined to it
-- Locks:  none.
-- needs: functions/search/metric.sql
-- needs: functions/core/qualified_name.sql
create or replace function evervec.search_body(
    p_source    evervec.source,
    p_arguments integer[],
    p_excluded  text,
    p_filter    text,
    p_visited   text,
    p_result    text,
    p_join      text
)
returns text
language plpgsql stable
set search_path from current
as $$
declare
    v_dimensions integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
    v_metric     record := evervec.metric(p_source.distance);
    v_keys       record;
    v_nearest    text;
begin
    select string_agg(format('e.%I as key_%s', c.name, c.ordinality), ', ' order by c.ordinality) as fetched,
           string_agg(format('e.%I', c.name), ', ' order by c.ordinality) as stored,
           string_agg(format('n.key_%s', c.ordinality), ', ' order by c.ordinality) as found
      into v_keys
      from unnest(p_source.target_key_columns) with ordinality as c (name, ordinality);
    v_nearest := format(
        $sql$
            with indexed as materialized (
                select %1$s, %2$s as distance /* vector */
                  from %3$s e %4$s
                 where %5$s not v_exact and ($%6$s is null or (%7$s) is not true)
                 order by %2$s
                 limit v_fetch
            ), choice as materialized (
                select case when v_exact then true
                            when (select count(*) from indexed) >= v_fetch then false
                            else evervec.may_search_exactly((select count(*) from indexed), v_fetch) end as exact
            ), nearest as materialized (
                select * from indexed where not (select c.exact from choice c)
                union all
                select *
                  from (
                    select %1$s, %2$s as distance /* vector */
                      from %3$s e %4$s
                     where %5$s (select c.exact from choice c) and ($%6$s is null or (%7$s) is not true)
                     order by (%2$s) + 0, %8$s
                     limit v_fetch
                  ) exact
            ), found as materialized (
                select n.*, (%9$s)::real as similarity
                  from nearest n
                 where n.distance <> 'NaN' and ($%10$s is null or (%9$s)::real >= $%10$s)
            )
        $sql$,
        v_keys.fetched, format('e.%I %s $1', p_source.vector_column, v_metric.operator), evervec.qualified_name(p_source.target), p_filter,
        case when p_source.storage = 'column' then format('e.%I is not null and', p_source.vector_column) end, p_arguments[3], p_excluded, v_keys.stored,
        format(v_metric.similarity, 'n.distance'), p_arguments[2]);
    return format(
        $body$
        #variable_conflict use_variable
        declare
            v_fetch   bigint := evervec.search_size($1, %1$s, %2$L, $%3$s, $%4$s, $%6$s);
            v_former  text[] := array[current_setting('hnsw.ef_search'), current_setting('hnsw.iterative_scan')];
            v_visited bigint := %7$s;
            v_exact   boolean := v_visited is null;
            v_set     text[] := array[
                set_config('hnsw.ef_search', least(greatest(v_visited + coalesce(cardinality($%5$s), 0), v_former[1]::bigint), 1000)::text, true),
                set_config('hnsw.iterative_scan', 'relaxed_order', true)];
        begin
            if $%6$s is null then
                return query
                %8$s
                select %9$s, n.similarity, n.distance::real
                  from found n %10$s
                 order by n.distance, %11$s
                 limit $%3$s;
            else
                return query
                %12$s, candidate as materialized (
                    select n.*, row_number() over (order by n.distance, %11$s) as place from found n
                )
                select %9$s, n.similarity, n.distance::real
                  from unnest(evervec.diversify(
                           (select array_agg(c.embedding order by c.place) from candidate c),
                           (select array_agg(c.similarity order by c.place) from candidate c),
                           %2$L, $%3$s, $%6$s)) with ordinality as d (place, ordinal)
                  join candidate n on n.place = d.place %10$s
                 order by d.ordinal;
            end if;
            v_set := array[set_config('hnsw.ef_search', v_former[1], true), set_config('hnsw.iterative_scan', v_former[2], true)];
        end
        $body$,
        v_dimensions, p_source.distance, p_arguments[1], p_arguments[2], p_arguments[3], p_arguments[4], p_visited,
        v_nearest, p_result, p_join, v_keys.found,
        replace(v_nearest, '/* vector */', format(', e.%I as embedding', p_source.vector_column)));
end
$$;

comment on function evervec.search_body(evervec.source, integer[], text, text, text, text, text) is
$$Internal. PL/pgSQL of a search over a source, for create_search.$$;

revoke execute on function evervec.search_body(evervec.source, integer[], text, text, text, text, text) from public;
