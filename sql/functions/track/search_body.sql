-- search_body: the body of a generated search function, with or without a filter.
--
-- First the n nearest are fetched into arrays. The statement for the index is planned once a session and for any limit, so sorting is
-- made dear to the planner (a SET clause of the function) and the index is what is left. Where it gives fewer rows than are wanted, or is
-- not worth asking, all that qualifies is read; + 0 keeps that from being answered by the index again. Then what was fetched is
-- sorted, because a relaxed iterative scan is only almost in order, and gets threshold, returned columns and diversity, which
-- cannot keep the index from being used any more.
--
-- Of an index that knows only the signs of vectors so many more are asked for (v_asked); sorting by their distances puts them right. ivfflat looks
-- into few of its lists unless told; and with the 40 vectors that hnsw.ef_search holds by default, a search of real texts misses one row in ten of
-- those it should find (`make bench NAME=index`), so it holds 100.
--
-- hnsw.* and ivfflat.* settings are put back by hand (see sql/README.md); after an error PostgreSQL does so. Each setting, statement and expression costs
-- microseconds that show beside a search of half a millisecond: so they are touched where something keeps rows from being found (a filter,
-- policies, rows to leave out), or else when the first go was not enough, as after a mass deletion. Good arguments are told by operators; search_size has the words for bad ones.
--
-- Columns stand behind the aliases e, f, n and s, variables stand alone, and parameters are $1, $2, …: no name of a user's can be taken for
-- one of ours.
--
-- p_limit:    number of the parameter p_limit; p_min_similarity, p_exclude and p_diversity follow
-- p_excluded: condition on e: it is one of those to leave out
-- p_filter:   a join that leaves of e what qualifies, or NULL
-- p_visits:   how many vectors a scan of the index would have to look at; NULL where an exact search is cheaper
-- p_result, p_join: what is returned of n, what was found, and of s, joined to it
-- Locks:  none.
-- needs: functions/search/comparison.sql
-- needs: functions/core/qualified_name.sql
create or replace function evervec.search_body(
    p_source   evervec.source,
    p_limit    integer,
    p_excluded text,
    p_filter   text,
    p_visits   text,
    p_result   text,
    p_join     text
)
returns text
language plpgsql stable
set search_path from current
as $$
declare
    v_dimensions integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
    v_compared   record := evervec.comparison(p_source, p_source.search_precision, format('e.%I', p_source.vector_column), '$1');
    v_target     text := evervec.qualified_name(p_source.target);
    v_reach      text := format('(greatest(v_visits, v_asked) + coalesce(cardinality($%s), 0))', p_limit + 2);
    v_lists      boolean := p_source.search_method = 'ivfflat';
    v_setting    text := case when v_lists then 'ivfflat.probes' else 'hnsw.ef_search' end;
    v_mode       text := case when v_lists then 'ivfflat.iterative_scan' else 'hnsw.iterative_scan' end;
    v_keys       record;
    v_fetch      text;
    v_found      text;
begin
    -- There are no arrays of arrays, and unnest takes rows to pieces: such a key is kept as text.
    select string_agg(format('v_key_%s %s[];', k.ordinality, t.held), ' ' order by k.ordinality) as declared,
           string_agg(format('v_key_%s', k.ordinality), ', ' order by k.ordinality) as variables,
           string_agg(format('key_%s', k.ordinality), ', ' order by k.ordinality) as names,
           string_agg(format('array_agg(n.key_%s)', k.ordinality), ', ' order by k.ordinality) as collected,
           string_agg(format('e.%I::%s as key_%s', k.name, t.held, k.ordinality), ', ' order by k.ordinality) as fetched,
           string_agg(format('e.%I', k.name), ', ' order by k.ordinality) as stored,
           string_agg(format('e.%I %s n.key_%s::%s', k.name, k.operator, k.ordinality, k.type), ' and ' order by k.ordinality) as matched,
           string_agg(format('n.key_%s::%s', k.ordinality, k.type), ', ' order by k.ordinality) as found
      into v_keys
      from unnest(p_source.target_key_columns, p_source.key_types, p_source.key_operators) with ordinality as k (name, type, operator, ordinality)
      cross join lateral (select case when evervec.is_scalar(k.type) then k.type else 'text' end as held) t;
    v_fetch := format(
        $sql$
            select %1$s, array_agg(n.distance)
              into %2$s, v_distance
              from (
                select %3$s, %4$s as distance
                  from %5$s e %6$s
                 where %7$s ($%8$s is null or (%9$s) is not true)
        $sql$,
        v_keys.collected, v_keys.variables, v_keys.fetched, v_compared.distance, v_target, p_filter,
        format('e.%I is not null and', p_source.vector_column), p_limit + 2, p_excluded);
    v_found := format(
        $sql$
                select n.*, (%1$s)::real as similarity
                  from unnest(%2$s, v_distance) as n (%3$s, distance)
                 where n.distance <> 'NaN' and ($%4$s is null or (%1$s)::real >= $%4$s)
        $sql$,
        format(v_compared.similarity, 'n.distance'), v_keys.variables, v_keys.names, p_limit + 1);
    return format(
        $body$
        #variable_conflict use_variable
        declare
            v_fetch   bigint := case when vector_dims($1) = %1$s and (%2$L <> 'cosine' or vector_norm($1) > 0) and $%3$s >= 0
                                         and ($%4$s is null or $%4$s <> 'NaN') and $%6$s is null then $%3$s
                                    else evervec.search_size($1, %1$s, %2$L, $%3$s, $%4$s, $%6$s) end;
            v_asked   bigint := v_fetch%22$s;
            v_former  bigint := current_setting(%23$L)::bigint;
            v_ef      bigint := coalesce(nullif(current_setting('evervec.search_effort', true), '')::bigint, %24$s);
            v_visits  bigint := %7$s;
            v_scan    text;
            v_done    text;
            v_iterate boolean;
            %8$s
            v_distance double precision[];
        begin
            if v_visits is not null then
                v_iterate := %17$s;
                loop
                    if v_iterate then
                        v_scan := current_setting(%25$L);
                        v_done := set_config(%25$L, 'relaxed_order', true) || set_config(%23$L, (%26$s)::text, true);
                    end if;
                    %9$s
                     order by %18$s
                     limit v_asked
                  ) n;
                    exit when v_iterate or cardinality(v_distance) >= v_asked;
                    v_iterate := true;
                end loop;
                if v_iterate then
                    v_done := set_config(%25$L, v_scan, true) || set_config(%23$L, v_former::text, true);
                end if;
            end if;
            if v_visits is null
               or coalesce(cardinality(v_distance), 0) < v_fetch and evervec.may_search_exactly(coalesce(cardinality(v_distance), 0), v_fetch) then
                %11$s
                %9$s
                 order by (%10$s) + 0, %12$s
                 limit v_fetch
              ) n;
            end if;
            if $%6$s is null then
                return query
                select %13$s, n.similarity, n.distance::real
                  from (%14$s) n %15$s
                 order by n.distance, %16$s
                 limit $%3$s;
            else
                return query
                with candidate as materialized (
                    select n.*, e.embedding, row_number() over (order by n.distance, %16$s) as place
                      from (%14$s%27$s) n
                      cross join lateral (select e.%19$I::vector as embedding from %20$s e where %21$s offset 0) e
                )
                select %13$s, n.similarity, n.distance::real
                  from unnest(evervec.diversify(
                           (select array_agg(n.embedding order by n.place) from candidate n),
                           (select array_agg(n.similarity order by n.place) from candidate n),
                           %2$L, $%3$s, $%6$s)) with ordinality as d (place, ordinal)
                  join candidate n on n.place = d.place %15$s
                 order by d.ordinal;
            end if;
        end
        $body$,
        v_dimensions, p_source.distance, p_limit, p_limit + 1, p_limit + 2, p_limit + 3, p_visits,
        v_keys.declared, v_fetch, v_compared.distance,
        -- What is best depends on the values that a filter gets.
        case when p_filter is not null then 'v_done := set_config(''plan_cache_mode'', ''force_custom_plan'', true);' end,
        v_keys.stored, p_result, v_found, p_join, v_keys.found,
        case when p_filter is not null or v_lists then 'true'
             else format('%s > v_ef or v_ef <> v_former or cardinality($%s) > 0 or row_security_active(%L::regclass)', v_reach, p_limit + 2, v_target) end,
        v_compared.ordering,
        p_source.vector_column, v_target, v_keys.matched,
        ' * ' || nullif(v_compared.pool, 1), v_setting,
        case when p_source.search_effort is not null then p_source.search_effort::text
             when v_lists then format('greatest(v_former, evervec.list_probes(%L::regclass))', v_target)
             else 'greatest(v_former, 100)' end,
        v_mode,
        case when v_lists then 'v_ef' else format('greatest(v_ef, least(%s, 1000))', v_reach) end,
        case when v_compared.pool > 1 then format(' order by n.distance, %s limit v_fetch', v_keys.found) end);
end
$$;

comment on function evervec.search_body(evervec.source, integer, text, text, text, text, text) is
$$Internal. PL/pgSQL of a search over a source, for create_search.$$;

revoke execute on function evervec.search_body(evervec.source, integer, text, text, text, text, text) from public;
