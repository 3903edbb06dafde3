-- track_statement: the call of track that would make a source again as it is.
--
-- Locks:  none.
-- needs: functions/core/qualified_name.sql
-- needs: functions/core/bm25_schema.sql
-- needs: functions/track/default_precision.sql
create or replace function evervec.track_statement(
    p_source   evervec.source,
    p_relation text default null,
    p_name     text default null
)
returns text
language sql stable
set search_path from current
as $$
    select 'evervec.track(' || concat_ws(', ',
        quote_literal(coalesce(p_relation, evervec.qualified_name(p_source.relation), p_source.relation_name)),
        'p_columns => ' || quote_literal(p_source.columns),
        'p_template => ' || quote_literal(p_source.template),
        'p_text_sql => ' || quote_literal(p_source.text_sql),
        'p_where => ' || quote_literal(p_source.condition),
        'p_depends_on => ' || quote_literal(nullif(p_source.depends_on, '{}')),
        'p_model => ' || quote_literal((select m.name from evervec.model m where m.model_id = p_source.model_id)),
        'p_name => ' || quote_literal(coalesce(p_name, p_source.name)),
        'p_distance => ' || quote_literal(nullif(p_source.distance, 'cosine')),
        'p_index => ' || quote_literal(nullif(p_source.index_method, 'hnsw')),
        'p_precision => ' || quote_literal(nullif(p_source.index_precision, evervec.default_precision(p_source))),
        'p_vector_type => ' || quote_literal(nullif(p_source.vector_type, 'vector')),
        'p_index_options => ' || quote_literal(nullif(p_source.index_options, '{}')),
        'p_priority => ' || quote_literal(coalesce(p_source.priority_sql, nullif(p_source.priority, 5)::text)),
        'p_storage => ' || quote_literal(nullif(p_source.storage, 'table')),
        'p_too_long => ' || quote_literal(nullif(p_source.too_long, 'cut')),
        case when not p_source.cache then 'p_cache => false' end,
        'p_return_columns => ' || quote_literal(nullif(p_source.return_columns, '{}')),
        'p_text_search => ' || quote_literal(p_source.text_search),
        case when p_source.text_search is not null then 'p_bm25 => ' || nullif(p_source.bm25, evervec.bm25_schema() is not null) end,
        'p_retention => ' || quote_literal(p_source.retention),
        case when p_source.storage = 'column' then 'p_storage_columns => ' || quote_literal(jsonb_strip_nulls(jsonb_build_object(
            'embedding', p_source.vector_column, 'model', p_source.model_column, 'version', p_source.version_column,
            'hash', p_source.hash_column, 'time', p_source.time_column))) end,
        case when p_source.foreign_key then 'p_foreign_key => true' end) || ')'
$$;

comment on function evervec.track_statement(evervec.source, text, text) is
$$Internal. SQL of the call of track that makes a source like this one, for its own table and under its own name unless others are given.$$;

revoke execute on function evervec.track_statement(evervec.source, text, text) from public;
