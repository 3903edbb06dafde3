-- update_source: stores what may change about a source: names, key, recipe, state.
--
-- Locks:  ROW EXCLUSIVE on evervec.source.
create or replace function evervec.update_source(p_source evervec.source)
returns void
language sql
set search_path from current
as $$
    update evervec.source s
       set relation_name      = p_source.relation_name,
           target_name        = evervec.qualified_name(s.target),
           partitions         = p_source.partitions,
           key_columns        = p_source.key_columns,
           key_attributes     = p_source.key_attributes,
           key_types          = p_source.key_types,
           key_operators      = p_source.key_operators,
           target_key_columns = p_source.target_key_columns,
           columns            = p_source.columns,
           template           = p_source.template,
           text_sql           = p_source.text_sql,
           condition          = p_source.condition,
           depends_on         = p_source.depends_on,
           watched_columns    = p_source.watched_columns,
           watched_attributes = p_source.watched_attributes,
           text_expression    = p_source.text_expression,
           too_long           = p_source.too_long,
           cache              = p_source.cache,
           return_columns     = p_source.return_columns,
           return_attributes  = p_source.return_attributes,
           text_search        = p_source.text_search,
           bm25               = p_source.bm25,
           vector_type        = p_source.vector_type,
           index_method       = p_source.index_method,
           index_precision    = p_source.index_precision,
           index_options      = p_source.index_options,
           search_method      = p_source.search_method,
           search_precision   = p_source.search_precision,
           search_effort      = p_source.search_effort,
           retention          = p_source.retention,
           state              = p_source.state,
           last_error         = p_source.last_error
     where s.source_id = p_source.source_id
$$;

comment on function evervec.update_source(evervec.source) is
$$Internal. Stores the changeable members of a source.$$;

revoke execute on function evervec.update_source(evervec.source) from public;
