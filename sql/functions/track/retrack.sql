-- retrack: makes triggers and functions of a source anew, with the recipe that it has or another one, and compares every row.
--
-- For what suspend made possible, and to change a recipe. The key's types are carried over to the embedding table.
-- Locks:  those of track and untrack; with another p_text_search, p_bm25 or p_vector_type, ACCESS EXCLUSIVE on the embedding table.
-- Raises: VE101 unknown source · VE103, VE104, VE105, VE110, VE111 as track · VE210 as add_filter, of a filter that it has · VE601 bad retention · VE602 as add_views · 55P03 the table stays locked
create or replace function evervec.retrack(
    p_source         text,
    p_columns        text[] default null,
    p_template       text default null,
    p_text_sql       text default null,
    p_where          text default null,
    p_depends_on     jsonb default null,
    p_too_long       text default null,
    p_cache          boolean default null,
    p_return_columns text[] default null,
    p_text_search    text default null,
    p_bm25           boolean default null,
    p_index          text default null,
    p_precision      text default null,
    p_vector_type    text default null,
    p_index_options  jsonb default null,
    p_retention      jsonb default null
)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_source    evervec.source := evervec.source_named(p_source);
    v_former    evervec.source := v_source;
    v_protected boolean;
begin
    perform evervec.check_relation(v_source.relation);
    perform evervec.drop_triggers(v_source);
    perform evervec.discard_views(v_source);
    perform evervec.drop_functions(v_source);
    perform evervec.lock_relation(v_source.relation, 'share row exclusive');
    v_source := evervec.with_present_names(v_source);
    if cardinality(v_source.key_columns) <> cardinality(v_source.target_key_columns) then
        raise exception using
            errcode = 'VE105',
            message = format('the primary key of %s has %s columns now, its vectors'' table %s', v_source.relation,
                             cardinality(v_source.key_columns), cardinality(v_source.target_key_columns)),
            detail  = 'Vectors are kept by the primary key; those that are there name no row any more.',
            hint    = format('SELECT evervec.untrack(%L, p_drop_vectors => true); and track the table again.', p_source);
    end if;
    if num_nonnulls(p_columns, p_template, p_text_sql) > 0 then
        v_source.columns := p_columns;
        v_source.template := p_template;
        v_source.text_sql := p_text_sql;
    end if;
    v_source.condition := nullif(coalesce(p_where, v_source.condition), '');
    v_source.depends_on := coalesce(p_depends_on, v_source.depends_on);
    v_source := evervec.with_retention(v_source, p_retention);
    v_source := evervec.with_recipe(v_source);
    v_source.too_long := coalesce(p_too_long, v_source.too_long);
    v_source.cache := coalesce(p_cache, v_source.cache);
    perform evervec.check_option('p_too_long', v_source.too_long, array['cut', 'dead_letter']);
    v_protected := evervec.is_protected(v_source)
                   or v_source.storage <> 'column' and (select c.relrowsecurity from pg_class c where c.oid = v_source.relation);
    if v_protected then
        perform evervec.drop_policies(v_source, array['evervec_visible']);
    end if;
    perform evervec.match_key_types(v_source);
    v_source := evervec.with_return_columns(v_source, coalesce(p_return_columns, v_source.return_columns));
    v_source := evervec.with_text_search(v_source, p_text_search, p_bm25);
    if (v_source.text_search, v_source.bm25) is distinct from (v_former.text_search, v_former.bm25) then
        perform evervec.create_document(v_source, v_source.text_search is distinct from v_former.text_search, false);
    end if;
    if v_source.state = 'suspended' then
        v_source.state := 'active';
    end if;
    v_source := evervec.with_index(v_source, p_index, p_precision, p_vector_type, p_index_options);
    v_source := evervec.match_index(v_source, v_former);
    v_source.last_error := null;
    perform evervec.update_source(v_source);
    delete from evervec.dependency d where d.source_id = v_source.source_id;
    perform evervec.drop_jobs(v_source.source_id, 'superseded', p_tasks => false);

    perform evervec.create_row_functions(v_source);
    perform evervec.add_dependencies(v_source, v_source.depends_on);
    perform evervec.create_dependents_functions(v_source);
    perform evervec.create_search_functions(v_source);
    perform evervec.renew_signals(v_source);
    perform evervec.create_triggers(v_source);
    if v_protected then
        perform evervec.create_policies(v_source);
    end if;
    if v_former.views is not null then
        perform evervec.create_views(v_source);
    end if;
    perform evervec.renew_access();
    perform evervec.start_pass(v_source.source_id, 'reconcile');
    -- Keys of kept results may be of another type now.
    perform evervec.note_change(v_source.source_id);
end
$$;

comment on function evervec.retrack(text, text[], text, text, text, jsonb, text, boolean, text[], text, boolean, text, text, text, jsonb, jsonb) is
$$Brings a suspended source back, or gives a source another recipe: p_columns, p_template or p_text_sql, p_where, p_depends_on, p_too_long, p_cache, p_return_columns, p_text_search, p_bm25, p_index, p_precision, p_vector_type, p_index_options, p_retention as in track; NULL keeps what it has (p_bm25 with a p_text_search: what track would choose), p_where => '' wants every row, p_text_search => '' no words any more, p_retention => '{}' no retention. Where the words are to be kept by other rules than before, workers write them anew without asking the model, and hybrid_search has only the vectors of a row until then. A worker builds an index of another kind beside the former one, which is used and stands until then; another p_vector_type rewrites the embedding table at once, and drops its index. Vectors stay and are served until their rows have been compared. Raises VE101, VE103, VE104, VE105, VE110, VE111, VE210, VE601, VE602, 55P03.$$;

revoke execute on function evervec.retrack(text, text[], text, text, text, jsonb, text, boolean, text[], text, boolean, text, text, text, jsonb, jsonb) from public;
