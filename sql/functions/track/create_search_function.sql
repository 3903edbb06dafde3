-- create_search_function: nearest_<source>, the search that inlines into the caller's plan.
--
-- BEGIN ATOMIC and without SET, so that the planner sees an ordinary ORDER BY … LIMIT on the embedding table. What can be wrong with the
-- query vector is checked by a condition on no column, which is evaluated once an execution; a limit that is a constant stays one, so that
-- one plan does for all query vectors. What an index of less than full precision gives is put into order by a sort around it; that finds as much
-- as hnsw.ef_search allows, which is the caller's to set.
-- A body that is parsed at once follows renames, but makes PostgreSQL refuse to drop what it reads. That is right for our own table;
-- over the user's (column storage) the body is text, in which everything is qualified, and inlines too.
-- Locks:  none.
create or replace function evervec.create_search_function(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_dimensions integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
    v_compared   record := evervec.comparison(p_source, p_source.search_precision, format('e.%I', p_source.vector_column), 'p_query');
    v_owner      regrole := (select c.relowner from pg_class c where c.oid = p_source.relation);
    v_limit      text := format('case when p_limit >= 0 then p_limit else evervec.query_limit(p_query, %s, p_limit) end', v_dimensions);
    v_keys       record;
begin
    select string_agg(format('e.%I as key_%s', k.name, k.ordinality), ', ' order by k.ordinality) as found,
           string_agg(format('n.key_%s', k.ordinality), ', ' order by k.ordinality) as result
      into v_keys
      from unnest(p_source.target_key_columns) with ordinality as k (name, ordinality);
    execute format(
        $sql$
        create or replace function evervec.%1$I(p_query vector, p_limit integer default 10)
        returns table (%2$s, distance double precision)
        language sql stable
        %8$s
            %12$s
            select %3$s, %4$s as distance
              from %5$s e
             where %7$s case when %11$I.vector_dims(p_query) = %6$s and (%10$L <> 'cosine' or %11$I.vector_norm(p_query) > 0) then true
                             else evervec.search_size(p_query, %6$s, %10$L, 0, null, null) = 0 end
             order by %13$s
             limit %14$s
            %15$s;
        %9$s
        $sql$,
        'nearest_' || p_source.name,
        (select string_agg(format('%I %s', k.name, t.type), ', ' order by k.ordinality)
           from unnest(p_source.target_key_columns) with ordinality as k (name, ordinality)
           join unnest(p_source.key_types) with ordinality as t (type, ordinality) on t.ordinality = k.ordinality),
        v_keys.found, v_compared.distance, evervec.qualified_name(p_source.target), v_dimensions,
        format('e.%I is not null and', p_source.vector_column),
        case when p_source.storage = 'column' then 'as $nearest$' else 'begin atomic' end,
        case when p_source.storage = 'column' then '$nearest$' else 'end' end,
        p_source.distance, (select n.nspname from pg_extension x join pg_namespace n on n.oid = x.extnamespace where x.extname = 'vector'),
        case when v_compared.ordering <> v_compared.distance then format('select %s, n.distance from (', v_keys.result) end,
        v_compared.ordering, v_limit || coalesce(' * ' || nullif(v_compared.pool, 1), ''),
        case when v_compared.ordering <> v_compared.distance then format(') n order by n.distance limit %s', v_limit) end);
    execute format('comment on function evervec.%I(vector, integer) is %L', 'nearest_' || p_source.name,
                   format('Keys of the rows of %s nearest to p_query (%s dimensions), with the %s distance, nearest first. Raises VE201, VE204.',
                          p_source.relation, v_dimensions, replace(p_source.distance, '_', ' ')));
    execute format('revoke execute on function evervec.%I(vector, integer) from public', 'nearest_' || p_source.name);
    if v_owner <> current_user::regrole then
        execute format('grant execute on function evervec.%I(vector, integer) to %s', 'nearest_' || p_source.name, v_owner);
    end if;
end
$$;

comment on function evervec.create_search_function(evervec.source) is
$$Internal. Creates or replaces nearest_<source>.$$;

revoke execute on function evervec.create_search_function(evervec.source) from public;
