-- index_definition: CREATE INDEX for the vectors of a source, for the words beside them, or for their texts.
--
-- GIN's list of pending entries is short (kB), because whoever fills it up sorts it in for all; without one, each row costs three times as much.
-- Locks:  none itself.
-- needs: functions/search/metric.sql
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
                  p_concurrently, left(c.relname, 52 - length(left(w.name, 20))) || '_' || left(w.name, 20) || '_idx',
                  evervec.qualified_name(p_source.target),
                  case w.name
                       when p_source.vector_column
                       then format('%s (%I %I.%I)', p_source.index_method, w.name, n.nspname, (evervec.metric(p_source.distance)).operator_class)
                       when 'document_text'
                       then format('bm25 (%I %I.text_bm25_ops) with (text_config = %L)', w.name, evervec.bm25_schema(), p_source.text_search)
                       else format('gin (%I) with (gin_pending_list_limit = 256)', w.name) end)
      from coalesce(p_column, p_source.vector_column) as w (name)
      cross join pg_class c
      cross join pg_extension x
      join pg_namespace n on n.oid = x.extnamespace
     where c.oid = p_source.target and x.extname = 'vector'
$$;

comment on function evervec.index_definition(evervec.source, text, text) is
$$Internal. The CREATE INDEX statement of a source; p_concurrently: '' or 'concurrently'; p_column: the vectors'' (NULL), document or document_text.$$;

revoke execute on function evervec.index_definition(evervec.source, text, text) from public;
