-- add_source: the row of a new source, with defaults for what track does not say.
--
-- Locks:  ROW EXCLUSIVE on evervec.source.
create or replace function evervec.add_source(p_source evervec.source)
returns evervec.source
language sql
set search_path from current
as $$
    insert into evervec.source
        (name, relation, relation_kind, relation_name, partitions, key_columns, key_attributes, key_types, key_operators,
         target_key_columns, columns, template, text_sql, condition, depends_on, watched_columns, watched_attributes,
         text_expression, model_id, storage, foreign_key, target, target_name, vector_column, hash_column, model_column, time_column,
         version_column, distance, vector_type, index_method, index_precision, index_options,
         search_method, search_precision, priority, priority_sql, too_long, cache,
         return_columns, return_attributes, text_search, bm25, retention)
    select p_source.name, p_source.relation, p_source.relation_kind, p_source.relation_name, p_source.partitions,
           p_source.key_columns, p_source.key_attributes, p_source.key_types, p_source.key_operators,
           p_source.target_key_columns, p_source.columns, p_source.template, p_source.text_sql, p_source.condition,
           p_source.depends_on, p_source.watched_columns, p_source.watched_attributes, p_source.text_expression,
           p_source.model_id, p_source.storage, p_source.foreign_key, p_source.target,
           evervec.qualified_name(p_source.target),
           coalesce(p_source.vector_column, 'embedding'), coalesce(p_source.hash_column, 'content_hash'),
           coalesce(p_source.model_column, 'model_id'), coalesce(p_source.time_column, 'updated_at'),
           p_source.version_column, p_source.distance, p_source.vector_type, p_source.index_method, p_source.index_precision, p_source.index_options,
           p_source.search_method, p_source.search_precision, p_source.priority, p_source.priority_sql,
           coalesce(p_source.too_long, 'cut'), coalesce(p_source.cache, true),
           coalesce(p_source.return_columns, '{}'), coalesce(p_source.return_attributes, '{}'), p_source.text_search,
           coalesce(p_source.bm25, false), p_source.retention
    returning *
$$;

comment on function evervec.add_source(evervec.source) is
$$Internal. Inserts a source and returns it as stored.$$;

revoke execute on function evervec.add_source(evervec.source) from public;
