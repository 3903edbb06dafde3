-- track: everything that one table needs: embedding table, generated functions, triggers, and the start of its backfill.
--
-- Locks:  SHARE ROW EXCLUSIVE on the table (writers wait, readers do not), taken in attempts of half a second with pauses
--         between them and held to the end of the transaction. Nothing is read from the table itself.
-- Raises: VE102 name taken · VE103 unknown column · VE104 bad recipe · VE105 not a table with a primary key ·
--         VE106 name too long · VE107 embedding table exists · VE108 unknown model · VE110 not permitted ·
--         VE111 unknown distance or index · 55P03 the table stays locked
create or replace function evervec.track(
    p_relation regclass,
    p_columns  text[] default null,
    p_template text default null,
    p_model    text default 'local',
    p_name     text default null,
    p_distance text default 'cosine',
    p_index    text default 'hnsw',
    p_backfill boolean default true,
    p_priority integer default 5
)
returns text
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source;
    v_model  evervec.model;
    v_recipe record;
    v_key    record;
begin
    perform evervec.check_relation(p_relation);
    v_source.name := coalesce(p_name, (select c.relname from pg_class c where c.oid = p_relation));
    perform evervec.check_name(v_source.name);
    v_model := evervec.model_named(p_model);
    perform evervec.check_option('p_distance', p_distance, array['cosine', 'l2', 'inner_product', 'l1']);
    perform evervec.check_option('p_index', p_index, array['hnsw', 'none']);
    perform evervec.check_option('p_priority', p_priority::text, array(select g::text from generate_series(1, 10) g));
    v_recipe := evervec.compile_recipe(p_relation, p_columns, p_template);

    perform evervec.lock_relation(p_relation, 'share row exclusive');

    select array_agg(k.column_name order by k.ordinal) as names,
           array_agg(evervec.target_column_name(k.column_name) order by k.ordinal) as target_names,
           array_agg(k.type_name order by k.ordinal) as types,
           array_agg(k.operator order by k.ordinal) as operators
      into v_key
      from evervec.primary_key(p_relation) k;

    insert into evervec.source
        (name, relation, relation_kind, key_columns, key_types, key_operators, target_key_columns, columns, template,
         watched_columns, text_expression, model_id, target, distance, index_method, priority)
    select v_source.name, p_relation, c.relkind, v_key.names, v_key.types, v_key.operators, v_key.target_names, p_columns,
           p_template, v_recipe.columns, v_recipe.text_expression, v_model.model_id,
           evervec.create_target(p_relation, v_source.name || '_embedding', v_key.target_names, v_model.dimensions),
           p_distance, p_index, p_priority
      from pg_class c
     where c.oid = p_relation
    returning * into v_source;

    perform evervec.create_row_functions(v_source);
    perform evervec.create_search_function(v_source);
    perform evervec.create_triggers(v_source);
    if p_backfill then
        perform evervec.backfill(v_source.name);
    end if;
    return v_source.name;
end
$$;

comment on function evervec.track(regclass, text[], text, text, text, text, text, boolean, integer) is
$$Tracks a table and returns the name of the source. p_columns: columns joined as "Name: value" lines; or p_template: a text with {column} holes. p_model: see add_model. p_name: default the table's name. p_distance: cosine, l2, inner_product or l1. p_index: hnsw or none; built once the first vectors are there. p_backfill: also embed the rows that are there already. p_priority: 1 (highest) to 10 of jobs made by changes. Locks the table SHARE ROW EXCLUSIVE for a moment. Raises VE102 to VE108, VE110, VE111, 55P03.$$;

revoke execute on function evervec.track(regclass, text[], text, text, text, text, text, boolean, integer) from public;
