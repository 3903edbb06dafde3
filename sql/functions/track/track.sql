-- track: everything that one table needs: a place for its vectors, generated functions, triggers, and the start of its backfill.
--
-- Locks:  SHARE ROW EXCLUSIVE on the table, and on those in p_depends_on (writers wait, readers do not), taken in attempts of half
--         a second with pauses between them and held to the end of the transaction; with p_storage 'column', ACCESS EXCLUSIVE on the
--         table where columns are added. Nothing is read from the table.
-- Raises: VE102 name taken · VE103 unknown column · VE104 bad recipe · VE105 not a table with a primary key ·
--         VE106 name too long · VE107 embedding table exists, or a column of that name has another type · VE108 unknown model ·
--         VE110 not permitted · VE111 unknown option · VE601 bad retention · 55P03 the table stays locked
create or replace function evervec.track(
    p_relation        regclass,
    p_columns         text[] default null,
    p_template        text default null,
    p_model           text default 'local',
    p_name            text default null,
    p_distance        text default 'cosine',
    p_index           text default 'hnsw',
    p_backfill        boolean default true,
    p_priority        anycompatible default 5,
    p_text_sql        text default null,
    p_where           text default null,
    p_depends_on      jsonb default null,
    p_storage         text default 'table',
    p_storage_columns jsonb default null,
    p_foreign_key     boolean default false,
    p_too_long        text default 'cut',
    p_cache           boolean default true,
    p_return_columns  text[] default null,
    p_text_search     text default null,
    p_bm25            boolean default null,
    p_precision       text default null,
    p_vector_type     text default 'vector',
    p_index_options   jsonb default '{}',
    p_retention       jsonb default null
)
returns text
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source;
    v_model  evervec.model;
begin
    perform evervec.check_relation(p_relation);
    v_source.name := coalesce(p_name, (select c.relname from pg_class c where c.oid = p_relation));
    perform evervec.check_name(v_source.name);
    v_model := evervec.model_named(p_model);
    perform evervec.check_option('p_distance', p_distance, array['cosine', 'l2', 'inner_product', 'l1']);
    perform evervec.check_option('p_storage', p_storage, array['table', 'column', 'manual']);
    perform evervec.check_option('p_too_long', p_too_long, array['cut', 'dead_letter']);
    if p_foreign_key and p_storage = 'column' then
        perform evervec.check_option('p_foreign_key with p_storage ''column''', p_foreign_key::text, array['false']);
    end if;

    v_source.relation := p_relation;
    v_source.model_id := v_model.model_id;
    v_source.columns := p_columns;
    v_source.template := p_template;
    v_source.text_sql := p_text_sql;
    v_source.condition := p_where;
    v_source.depends_on := coalesce(p_depends_on, '{}');
    v_source.storage := p_storage;
    v_source.foreign_key := p_foreign_key;
    v_source.too_long := p_too_long;
    v_source.cache := p_cache;
    v_source.distance := p_distance;
    v_source := evervec.with_index(v_source, p_index, p_precision, p_vector_type, p_index_options);
    v_source.search_method := v_source.index_method;
    v_source.search_precision := v_source.index_precision;
    v_source := evervec.with_priority(v_source, p_priority::text);
    v_source := evervec.with_text_search(v_source, p_text_search, p_bm25);
    v_source := evervec.with_retention(v_source, p_retention);
    v_source := evervec.with_recipe(v_source);

    perform evervec.lock_relation(p_relation, 'share row exclusive');
    v_source := evervec.with_key(v_source);
    v_source := evervec.with_return_columns(v_source, p_return_columns);
    if p_storage = 'column' then
        v_source := evervec.with_columns(v_source, p_storage_columns, v_model.dimensions);
    else
        v_source.target := evervec.create_target(v_source, v_model.dimensions);
    end if;
    v_source := evervec.add_source(v_source);
    if v_source.text_search is not null then
        perform evervec.create_document(v_source, true, true);
    end if;
    perform evervec.create_row_functions(v_source);
    perform evervec.add_dependencies(v_source, v_source.depends_on);
    perform evervec.create_dependents_functions(v_source);
    perform evervec.create_search_functions(v_source);
    perform evervec.create_triggers(v_source);
    if p_storage <> 'column' and (select c.relrowsecurity from pg_class c where c.oid = p_relation) then
        perform evervec.create_policies(v_source);
    end if;
    perform evervec.renew_access();
    if p_backfill and p_storage <> 'manual' then
        perform evervec.backfill(v_source.name);
    end if;
    return v_source.name;
end
$$;

comment on function evervec.track(regclass, text[], text, text, text, text, text, boolean, anycompatible, text, text, jsonb, text, jsonb, boolean, text, boolean, text[], text, boolean, text, text, jsonb, jsonb) is
$$Tracks a table and returns the name of the source. The text of a row, one of: p_columns, joined as "Name: value" lines; p_template, a text with {column} or {column|default} holes; p_text_sql, an SQL expression or query over the row, which is called by its table's name. p_model: see add_model. p_name: default the table's name. p_distance: cosine, l2, inner_product or l1. p_index: hnsw, ivfflat or none; built once vectors are there. p_precision: what the index knows of a vector: full (up to 2,000 dimensions), half (two bytes a member, up to 4,000), or bit (the signs of its members, any number; what it finds is ranked by the vectors themselves; not with l1); default: the first of these that the dimensions allow. p_vector_type: type of the stored vectors: vector, or halfvec, with members of two bytes and no more than half as precision. p_index_options: m (2 to 100) and ef_construction (4 to 1,000) for hnsw; lists (1 to 32,768; default: chosen from the number of rows) for ivfflat; with bit, rerank (1 to 1,000, default 20): how many times more rows than are wanted the index is asked for. p_backfill: also embed the rows that are there already. p_priority: 1 (highest) to 10, or an SQL expression over the row. p_where: condition over the row; rows that do not meet it have no vector. p_depends_on: other tables that the recipe reads and how their rows lead to ours. p_storage: table, column (columns of the table itself, named by p_storage_columns) or manual (vectors come by put_embedding). p_foreign_key: vectors go by ON DELETE CASCADE instead of triggers. p_too_long: what becomes of a text beyond the model's limit: cut, with a note beside the vector, or dead_letter. p_cache: whether vectors of its texts are kept by hash, apart from the row, so that the same text is not paid for again (see cache_delete). p_return_columns: columns of the table that find_similar_<source> returns beside the key. p_text_search: a configuration of full text search, such as english or simple: the words of each text are kept beside its vector, for hybrid_search; who may read the embedding table can read them. p_bm25: whether pg_textsearch ranks what the words find, for which the texts are kept too; default where that extension is installed. p_retention: which rows are archived by themselves, an object of older_than (an interval), column (the column of the table that it counts from; default: since the vector was stored) and where (a condition over the row); see archive. Locks the table SHARE ROW EXCLUSIVE for a moment. Raises VE102 to VE108, VE110, VE111, VE601, 55P03.$$;

revoke execute on function evervec.track(regclass, text[], text, text, text, text, text, boolean, anycompatible, text, text, jsonb, text, jsonb, boolean, text, boolean, text[], text, boolean, text, text, jsonb, jsonb) from public;
