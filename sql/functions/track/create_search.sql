-- create_search: one generated search function of a source: typed or by row_key, with or without a filter.
--
-- Runs as the caller. Where its columns are others than before it is dropped and made anew, and whoever might execute it may again.
-- Locks:  none that matter.
-- Raises: 2BP01 its columns are others now, and something else, such as a view of a user's, uses it
create or replace function evervec.create_search(
    p_source evervec.source,
    p_name   text,
    p_typed  boolean,
    p_filter evervec.filter default null
)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_owner      regrole := (select c.relowner from pg_class c where c.oid = p_source.relation);
    v_limit      integer := 2 + cardinality(coalesce(p_filter.parameter_names, '{}'));
    -- A key of one column is excluded by its values, others by their row_keys: one that is an array or a row cannot be an element of an array.
    v_plain      boolean := p_typed and cardinality(p_source.key_columns) = 1 and evervec.is_scalar(p_source.key_types[1]);
    v_filter     text := format('filter_%s_%s', p_source.name, p_filter.name);
    v_join       text;
    v_visits     text;
    v_columns    record;
    v_definition text;
    v_former     regprocedure;
    v_grantee    text;
    v_grantees   text[];
begin
    select string_agg(format('%I %s', evervec.result_name(c.name, p_filter), c.type), ', ' order by c.ordinality) as names,
           string_agg(c.value, ', ' order by c.ordinality) as found
      into v_columns
      from (
        select k.name, k.type, format('n.key_%s::%s', k.ordinality, k.type), k.ordinality
          from unnest(p_source.key_columns, p_source.key_types) with ordinality as k (name, type, ordinality)
        union all
        select r.name, format_type(a.atttypid, -1), format('s.%I::%s', r.name, format_type(a.atttypid, -1)), 100 + r.ordinality
          from unnest(p_source.return_columns) with ordinality as r (name, ordinality)
          join pg_attribute a on a.attrelid = p_source.relation and a.attname = r.name
      ) as c (name, type, value, ordinality);

    if p_source.index_method = 'none' then
        v_visits := 'null';
    elsif p_filter.name is null and p_source.storage = 'column' and p_source.relation_kind = 'p' then
        -- A partitioned table has no size of its own.
        v_visits := 'v_fetch';
    elsif p_filter.name is null then
        -- 20 kB are read and compared in the time of one step of the index. In the user's own table, vectors may be out of line.
        v_visits := format('case when %s(%L::regclass) > 20000 * greatest(v_fetch, v_ef) then v_fetch end',
                           case when p_source.storage = 'column' then 'pg_table_size' else 'pg_relation_size' end,
                           evervec.qualified_name(p_source.target));
    end if;
    if p_filter.name is not null then
        select format('join evervec.%I(%s) f on %s',
                      v_filter, string_agg('$' || 1 + p.ordinality, ', ' order by p.ordinality),
                      (select string_agg(format('f.key_%s %s e.%I', k.ordinality, k.operator, k.name), ' and ' order by k.ordinality)
                         from unnest(p_source.target_key_columns, p_source.key_operators) with ordinality as k (name, operator, ordinality))),
               coalesce(v_visits, format(
                      'evervec.index_visits(format(%L%s), %L::regclass, v_fetch)',
                      format('select from evervec.%I(%s)', v_filter, string_agg('%L::' || p.type, ', ' order by p.ordinality)),
                      string_agg(', $' || 1 + p.ordinality, '' order by p.ordinality), evervec.qualified_name(p_source.target)))
          into v_join, v_visits
          from unnest(p_filter.parameter_types) with ordinality as p (type, ordinality);
    end if;
    v_definition := format(
        $sql$
        create or replace function evervec.%1$I(p_query vector, %2$s p_limit integer default 10, p_min_similarity real default null,
                                                p_exclude %3$s[] default null, p_diversity real default null)
        returns table (%4$s, similarity real, distance real)
        language plpgsql stable
        set search_path from current set plan_cache_mode = force_generic_plan set enable_sort = off set jit = off
        as $body$ %5$s $body$
        $sql$,
        p_name,
        (select string_agg(format('%I %s,', p.name, p.type), ' ' order by p.ordinality)
           from unnest(p_filter.parameter_names, p_filter.parameter_types) with ordinality as p (name, type, ordinality)),
        case when v_plain then p_source.key_types[1] else 'jsonb' end,
        case when p_typed then v_columns.names else 'row_key jsonb' end,
        evervec.search_body(
            p_source, v_limit,
            -- A subquery is hashed, so that many are left out as fast as few; those of an array would be compared one by one.
            format('%s any (select x.key from unnest($%s) as x (key))',
                   case when v_plain then format('e.%I %s', p_source.target_key_columns[1], p_source.key_operators[1])
                        else evervec.key_call(p_source, 'e', true) || ' =' end, v_limit + 2),
            v_join, v_visits,
            case when p_typed then v_columns.found else (
                select format('evervec.%I(%s)', 'key_' || p_source.name, string_agg(format('n.key_%s::%s', k.ordinality, k.type), ', ' order by k.ordinality))
                  from unnest(p_source.key_types) with ordinality as k (type, ordinality)) end,
            case when p_typed and p_source.return_columns <> '{}' then format(
                -- OFFSET keeps it a look-up for each row found: the planner, which does not know how few they are, would read the whole table.
                'cross join lateral (select s.* from %s s where %s offset 0) s', (evervec.fragments(p_source)).relation, (
                select string_agg(format('s.%I %s n.key_%s::%s', k.name, k.operator, k.ordinality, k.type), ' and ' order by k.ordinality)
                  from unnest(p_source.key_columns, p_source.key_operators, p_source.key_types) with ordinality as k (name, operator, type, ordinality))) end));
    begin
        execute v_definition;
    exception when invalid_function_definition then
        select p.oid::regprocedure, array(
                   select a.grantee::regrole::text from aclexplode(p.proacl) a where a.grantee not in (0, p.proowner))
          into v_former, v_grantees
          from pg_proc p
         where p.pronamespace = 'evervec'::regnamespace and p.proname = p_name;
        if v_former is null then
            raise;
        end if;
        execute format('drop function %s', v_former);
        execute v_definition;
    end;
    execute format('comment on function evervec.%I is %L', p_name, format(
        'Rows of %s nearest to p_query%s, nearest first. Parameters and similarity are those of find_similar. Raises VE201, VE204; warns with VE211.',
        p_source.relation, ' among those of the filter ' || p_filter.name));
    execute format('revoke execute on function evervec.%I from public', p_name);
    foreach v_grantee in array v_grantees || v_owner::text loop
        execute format('grant execute on function evervec.%I to %s', p_name, v_grantee);
    end loop;
end
$$;

comment on function evervec.create_search(evervec.source, text, boolean, evervec.filter) is
$$Internal. Creates or replaces a search function of a source. p_typed: it returns the key and the return columns, otherwise row_key; p_filter: the rows to search among. Raises 2BP01.$$;

revoke execute on function evervec.create_search(evervec.source, text, boolean, evervec.filter) from public;
