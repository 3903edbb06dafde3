-- index_definition: CREATE INDEX for the vectors of a source, for the words beside them, or for their texts.
--
-- GIN's list of pending entries is short (kB), because whoever fills it up sorts it in for all; without one, each row costs three times as much.
-- It takes the first name that is free: a former index that this one replaces has its own.
-- Locks:  none itself.
-- needs: functions/search/comparison.sql
-- needs: functions/index/fitting_lists.sql
-- needs: functions/core/qualified_name.sql
-- needs: functions/core/bm25_schema.sql
create or replace function evervec.index_definition(
    p_source       evervec.source,
    p_concurrently text default '',
    p_column       text default null
)
returns text
language sql stable
set search_path from current
as $$
    select format('create index %s %I on %s using %s',
                  p_concurrently,
                  (select f.name
                     from generate_series(1, 100) g
                     cross join lateral (select left(c.relname, 50 - length(left(w.name, 20))) || '_' || left(w.name, 20) || '_idx' || coalesce(nullif(g, 1)::text, '')) f (name)
                    where not exists (select from pg_class o where o.relnamespace = c.relnamespace and o.relname = f.name)
                    order by g limit 1),
                  evervec.qualified_name(p_source.target),
                  case w.name
                       when p_source.vector_column
                       then format('%s (%s %I.%I)', p_source.index_method, x.indexed, n.nspname, x.operator_class)
                            || coalesce(' with (' || (
                                   select string_agg(o.name || ' = ' || o.value, ', ' order by o.name)
                                     from jsonb_each_text(case when p_source.index_method = 'ivfflat'
                                                               then jsonb_build_object('lists', evervec.fitting_lists(p_source.target)) else '{}' end
                                                          || p_source.index_options - 'rerank') as o (name, value)) || ')', '')
                       when 'document_text'
                       then format('bm25 (%I %I.text_bm25_ops) with (text_config = %L)', w.name, evervec.bm25_schema(), p_source.text_search)
                       else format('gin (%I) with (gin_pending_list_limit = 256)', w.name) end)
      from coalesce(p_column, p_source.vector_column) as w (name)
      cross join pg_class c
      cross join pg_extension e
      join pg_namespace n on n.oid = e.extnamespace
      cross join evervec.comparison(p_source, p_source.index_precision, format('%I', p_source.vector_column), 'null') x
     where c.oid = p_source.target and e.extname = 'vector'
$$;

comment on function evervec.index_definition(evervec.source, text, text) is
$$Internal. The CREATE INDEX statement of a source; p_concurrently: '' or 'concurrently'; p_column: the vectors'' (NULL), document or document_text.$$;

revoke execute on function evervec.index_definition(evervec.source, text, text) from public;
