-- `set search_path from current` in the texts below takes what this sets for the transaction. The schema
-- of pgvector is looked up, because managed services put extensions into one of their own.
do $$
declare
    v_schema name;
begin
    select n.nspname
      into v_schema
      from pg_catalog.pg_extension e
      join pg_catalog.pg_namespace n on n.oid = e.extnamespace
     where e.extname = 'vector';
    if not found then
        raise exception using
            errcode = 'VE001',
            message = pg_catalog.format('pgvector is not installed in database "%s"', pg_catalog.current_database()),
            detail  = 'evervec stores its vectors in the types of pgvector 0.8 or newer.',
            hint    = 'Run CREATE EXTENSION vector; in this database as its owner or a superuser, then migrate again.';
    end if;
    perform pg_catalog.set_config('search_path', pg_catalog.format('pg_catalog, %I, pg_temp', v_schema), true);
    perform pg_catalog.set_config('check_function_bodies', 'on', true);
end
$$;

-- generated: begin (tools/freeze writes from here; what is outside is written by hand and kept)

drop view evervec.queue_health;
drop view evervec.status;
drop view evervec.egress;
drop view evervec.cost;
drop view evervec.alerts;
drop function evervec.with_text_search(evervec.source, text, boolean);
drop function evervec.with_return_columns(evervec.source, text[]);
drop function evervec.with_recipe(evervec.source);
drop function evervec.with_priority(evervec.source, text);
drop function evervec.with_present_names(evervec.source);
drop function evervec.with_key(evervec.source);
drop function evervec.with_index(evervec.source, text, text, text, jsonb);
drop function evervec.with_columns(evervec.source, jsonb, integer);
drop function evervec.vanished_vectors(evervec.source, text);
drop function evervec.update_source(evervec.source);
drop function evervec.untrack(text, boolean);
drop function evervec.track(regclass, text[], text, text, text, text, text, boolean, anycompatible, text, text, jsonb, text, jsonb, boolean, text, boolean, text[], text, boolean, text, text, jsonb, jsonb);
drop function evervec.template_text(regclass, text);
drop function evervec.template_parts(text);
drop function evervec.target_column_name(text);
drop function evervec.suspend(text);
drop function evervec.search_body(evervec.source, integer, text, text, text, text, text);
drop function evervec.row_differs(regclass, text[]);
drop function evervec.retrack(text, text[], text, text, text, jsonb, text, boolean, text[], text, boolean, text, text, text, jsonb, jsonb);
drop function evervec.result_name(text, evervec.filter);
drop function evervec.pinned_settings();
drop function evervec.match_key_types(evervec.source);
drop function evervec.match_index(evervec.source, evervec.source);
drop function evervec.key_decoded(evervec.source, text);
drop function evervec.key_call(evervec.source, text, boolean);
drop function evervec.is_scalar(text);
drop function evervec.get_source(text);
drop function evervec.follow_renames(integer[]);
drop function evervec.drop_triggers(evervec.source);
drop function evervec.drop_functions(evervec.source);
drop function evervec.dependents_query(evervec.source, text[], text[], text, text);
drop function evervec.create_vector_functions(evervec.source);
drop function evervec.create_triggers(evervec.source);
drop function evervec.create_trigger_functions(evervec.source);
drop function evervec.create_trigger_function(text, text, boolean);
drop function evervec.create_taste_functions(evervec.source);
drop function evervec.create_target(evervec.source, integer);
drop function evervec.create_table_functions(evervec.source);
drop function evervec.create_similar_functions(evervec.source);
drop function evervec.create_search_function(evervec.source);
drop function evervec.create_search(evervec.source, text, boolean, evervec.filter);
drop function evervec.create_sample_function(evervec.source);
drop function evervec.create_row_functions(evervec.source);
drop function evervec.create_row_function(evervec.source, text, text, text, boolean, text, text);
drop function evervec.create_render_function(evervec.source);
drop function evervec.create_priority_function(evervec.source);
drop function evervec.create_pass_functions(evervec.source);
drop function evervec.create_partition_triggers(evervec.source);
drop function evervec.create_log_function(text, text, boolean);
drop function evervec.create_key_function(evervec.source);
drop function evervec.create_hybrid_function(evervec.source, evervec.filter);
drop function evervec.create_filter_functions(evervec.source, evervec.filter);
drop function evervec.create_filter(evervec.source, evervec.filter);
drop function evervec.create_erase_functions(evervec.source);
drop function evervec.create_document_functions(evervec.source);
drop function evervec.create_document(evervec.source, boolean, boolean);
drop function evervec.create_dependents_functions(evervec.source);
drop function evervec.create_dependency_triggers(evervec.source);
drop function evervec.create_column_functions(evervec.source);
drop function evervec.compile_recipe(regclass, text[], text, text, text);
drop function evervec.columns_text(regclass, text[]);
drop function evervec.column_text(regclass, text);
drop function evervec.check_relation(regclass);
drop function evervec.check_references(text, regclass);
drop function evervec.check_name(text);
drop function evervec.changed_keys(evervec.source, text, text);
drop function evervec.key_decoy(evervec.source);
drop function evervec.analyse_sql(regclass, text, text);
drop function evervec.add_dependencies(evervec.source, jsonb);
drop function evervec.act_as_owner(evervec.source, regprocedure);
drop function evervec.put_embeddings(text, jsonb[], vector[], text, jsonb[]);
drop function evervec.put_embedding(text, jsonb, vector, text, jsonb);
drop function evervec.manual_source(text);
drop function evervec.get_embedding(text, jsonb);
drop function evervec.get_embeddings(text, jsonb[]);
drop function evervec.vectors_lookup(text, jsonb[]);
drop function evervec.delete_embedding(text, jsonb);
drop function evervec.delete_embeddings(text, jsonb[]);
drop function evervec.create_manual_functions(evervec.source);
drop function evervec.check_vectors(evervec.source, vector[]);
drop function evervec.words_of(text, text);
drop function evervec.vector_lookup(text, jsonb);
drop function evervec.tune(text, double precision, integer, integer, double precision);
drop function evervec.search_size(vector, integer, text, integer, real, real);
drop function evervec.search(text, text, integer, real, jsonb[]);
drop function evervec.render(text, jsonb);
drop function evervec.render_rows(text, jsonb[]);
drop function evervec.recall_check(text, integer, integer, integer, double precision);
drop function evervec.query_of(text, text);
drop function evervec.query_limit(vector, integer, integer);
drop function evervec.parse_key(text, text);
drop function evervec.near_duplicates(text, real, jsonb, integer, integer);
drop function evervec.measure_recall(text, integer, integer, double precision, integer[], double precision);
drop function evervec.recall_queries(text, integer);
drop function evervec.may_search_exactly(bigint, bigint);
drop function evervec.keep_effort(text, integer);
drop function evervec.create_search_functions(evervec.source);
drop function evervec.index_visits(text, regclass, bigint);
drop function evervec.hybrid_search(text, text, vector, integer, double precision, double precision, integer, jsonb[]);
drop function evervec.hybrid_pool(text, integer, double precision, double precision, integer, jsonb[]);
drop function evervec.find_similar_to(text, jsonb, integer, real, jsonb[], real);
drop function evervec.find_similar_among(text, text, jsonb, vector, integer, real, jsonb[], real);
drop function evervec.find_similar(text, vector, integer, real, jsonb[], real);
drop function evervec.filter_named(evervec.source, text);
drop function evervec.filter_arguments(text, text, jsonb);
drop function evervec.duplicates_of(text, jsonb);
drop function evervec.list_probes(regclass);
drop function evervec.drop_filter(text, text);
drop function evervec.diversify(vector[], real[], text, integer, real);
drop function evervec.check_words(text);
drop function evervec.check_row_key(evervec.source, jsonb);
drop function evervec.bm25_ranking(regclass, text, text);
drop function evervec.better_index(text);
drop function evervec.among_query(text, text, jsonb);
drop function evervec.add_filter(text, text, text, text[]);
drop function evervec.unschedule_maintenance();
drop function evervec.schedule_maintenance();
drop function evervec.maintenance_jobs();
drop function evervec.maintain();
drop function evervec.has_cron();
drop function evervec.cron_schedule(interval);
drop function evervec.cleanup_expired(integer);
drop function evervec.forget_rows(text, text, integer);
drop function evervec.update_trends();
drop function evervec.sees_row(integer, jsonb);
drop function evervec.recommend(text, text, integer, text, text, text, jsonb, real, real);
drop function evervec.recommendation_plan(text, text, integer, text, text, text, jsonb, real, real, regrole, boolean);
drop function evervec.refresh_preference(text, evervec.source, text);
drop function evervec.presence_query(integer);
drop function evervec.key_match(evervec.source, text, boolean, text, boolean);
drop function evervec.open_sources();
drop function evervec.liked_nearby(text, text, text, jsonb[], integer, jsonb[]);
drop function evervec.keep_recommendation(text, integer, bytea, pg_snapshot, jsonb[], real[], real[], jsonb[]);
drop function evervec.cache_put(text, text, jsonb, real, text, interval);
drop function evervec.cache_get(text, text);
drop function evervec.user_state(text, text);
drop function evervec.cache_forget(text, text);
drop function evervec.write_vectors(evervec.source, jsonb[], bytea[], vector[], text[]);
drop function evervec.with_failure(jsonb, text, text, integer);
drop function evervec.try_write_vectors(evervec.source, jsonb[], bytea[], vector[], text[]);
drop function evervec.tid_block(tid);
drop function evervec.tick();
drop function evervec.task_step(evervec.processing_queue);
drop function evervec.task_left(evervec.processing_queue, bigint);
drop function evervec.start_pass(integer, text);
drop function evervec.run_task(evervec.processing_queue);
drop function evervec.row_priorities(evervec.source, jsonb[]);
drop function evervec.row_keys(text, boolean, text, jsonb, jsonb, integer);
drop function evervec.retry_delay(evervec.retry_policy, integer);
drop function evervec.retry_dead_letters(text, text);
drop function evervec.retry_dead_letter_of_job(bigint);
drop function evervec.retry_dead_letter(bigint);
drop function evervec.resolve_dead_letter(bigint, text, text);
drop function evervec.requeue_letters(bigint[]);
drop function evervec.render_states(evervec.source, jsonb[], timestamptz);
drop function evervec.render_jobs(evervec.source, evervec.processing_queue[], interval, uuid, boolean);
drop function evervec.release_jobs(uuid, bigint[]);
drop function evervec.reconcile(text, integer);
drop function evervec.reclaim(integer);
drop function evervec.queue_rows(evervec.source, jsonb[], bigint[], smallint[], jsonb[]);
drop function evervec.queue_keys(evervec.source, jsonb[], integer, jsonb);
drop function evervec.pending(text);
drop function evervec.operation_priority(text, integer);
drop function evervec.open_letter(bigint);
drop function evervec.next_slice(evervec.source, integer);
drop function evervec.named_jobs(bigint[], bigint, integer[]);
drop function evervec.log_slice(bigint, integer, bigint);
drop function evervec.log_batch(text, jsonb, real, real, real);
drop function evervec.lock_leased(uuid, bigint[]);
drop function evervec.lease_jobs(bigint[], bytea[], interval, uuid);
drop function evervec.keys_query(text, boolean, text, jsonb, jsonb);
drop function evervec.job_status(bigint);
drop function evervec.task_progress(evervec.processing_queue);
drop function evervec.policy_of(integer, text);
drop function evervec.forget_letters(integer);
drop function evervec.fold_source(evervec.source, jsonb[], bigint[], jsonb[], jsonb[], boolean);
drop function evervec.fold(integer);
drop function evervec.finish_jobs(bigint[], text[], text[]);
drop function evervec.feed_slice(evervec.source, integer, boolean, boolean);
drop function evervec.feed(integer, integer[]);
drop function evervec.fail_jobs(uuid, bigint[], text, text, integer, interval);
drop function evervec.extend_lease(uuid, interval);
drop function evervec.erase_vectors(evervec.source, jsonb[]);
drop function evervec.enqueue_task(text, jsonb, integer);
drop function evervec.enqueue(text, text, text, integer, text, jsonb);
drop function evervec.enqueue(text, jsonb[], text, integer, text, jsonb);
drop function evervec.due_jobs(bigint, integer[]);
drop function evervec.drop_jobs(integer, text, boolean);
drop function evervec.dependents(evervec.source, jsonb[]);
drop function evervec.dead_letters(text, text, boolean, integer, bigint);
drop function evervec.dead_letter_statistics(text);
drop function evervec.coverage(text);
drop function evervec.complete_jobs(uuid, bigint[], vector[], text[]);
drop function evervec.claim_jobs(integer, interval, text, text[], boolean, bigint[]);
drop function evervec.checked_keys(evervec.source, jsonb[]);
drop function evervec.check_request(integer, jsonb, text);
drop function evervec.bury_jobs(bigint[], text, text, integer);
drop function evervec.backfill(text);
drop function evervec.add_task(text, jsonb, integer, text, jsonb);
drop function evervec.ring();
drop function evervec.has_work();
drop function evervec.active_sources(text[]);
drop function evervec.embed_by_service(text, text);
drop function evervec.configure_push(text, text, interval, boolean);
drop function evervec.check_option(text, text, text[]);
drop function evervec.ring_after_change();
drop function evervec.ring_once();
drop function evervec.send_ring(text);
drop function evervec.post_json(text, jsonb, text, interval);
drop function evervec.push_off();
drop function evervec.update_user_embeddings(text, integer);
drop function evervec.update_user_embedding(text, text, text);
drop function evervec.user_inputs(text, text);
drop function evervec.learn(evervec.source, text[], bytea[], text);
drop function evervec.weights_query(evervec.source, evervec.preference);
drop function evervec.inputs_hash(numeric, numeric, bigint);
drop function evervec.find_tastes(evervec.source, integer[], jsonb[], integer[], integer);
drop function evervec.definitions_hash(evervec.source);
drop function evervec.check_preference(evervec.source, text);
drop function evervec.preferences_of(integer);
drop function evervec.centre_of(evervec.source);
drop function evervec.add_preference(text, text, text, text[], text[], integer);
drop function evervec.untrack_users(regclass);
drop function evervec.track_users(regclass, text);
drop function evervec.forget_user(text);
drop function evervec.forget_truncated();
drop function evervec.forget_leavers(integer);
drop function evervec.forget_deleted();
drop function evervec.leave(text[]);
drop function evervec.forget_users(text[]);
drop function evervec.user_tables();
drop function evervec.check_user(text);
drop function evervec.resume_model(text);
drop function evervec.pause_model(text, timestamptz, text);
drop function evervec.hold_model(integer, timestamptz, text, text);
drop function evervec.get_model(text);
drop function evervec.model_named(text);
drop function evervec.free_model(integer);
drop function evervec.end_call(bigint, bigint);
drop function evervec.begin_call(text, bigint, interval);
drop function evervec.add_model(text, text, integer, text, integer, numeric, text, text, jsonb, integer, integer, integer, integer, integer);
drop function evervec.user_signals(evervec.source, text, text[]);
drop function evervec.signal_values(evervec.source, jsonb, text[]);
drop function evervec.signal_columns(evervec.source, text, text[]);
drop function evervec.renew_signals(evervec.source);
drop function evervec.record_interactions(jsonb);
drop function evervec.record_interaction(text, text, jsonb, text, double precision, jsonb, text, timestamptz);
drop function evervec.move_interactions(text, jsonb, jsonb);
drop function evervec.make_partitions();
drop function evervec.make_partition(timestamptz);
drop function evervec.confine_to_user(regclass);
drop function evervec.acts_for_all();
drop function evervec.current_user_id();
drop function evervec.keep_interactions(jsonb);
drop function evervec.drop_signal(text, text);
drop function evervec.drop_partitions();
drop function evervec.create_signal(evervec.source, evervec.signal);
drop function evervec.clear_mark(text, text, jsonb);
drop function evervec.add_signal(text, text, text, double precision);
drop function evervec.add_source(evervec.source);
drop function evervec.add_interaction_type(text, double precision, text, boolean);
drop function evervec.replace_index(text);
drop function evervec.index_status(text);
drop function evervec.index_statement(text, boolean);
drop function evervec.index_definition(evervec.source, text, text);
drop function evervec.due_indexes(text[]);
drop function evervec.build_memory(evervec.source);
drop function evervec.build_index(text);
drop function evervec.set_budget(text, text, bigint, numeric);
drop function evervec.estimate(text);
drop function evervec.source_named(text);
drop function evervec.lock_relation(regclass, text, integer, interval);
drop function evervec.lock_key(text);
drop function evervec.resume(text);
drop function evervec.reset(text, jsonb[]);
drop function evervec.pause(text);
drop function evervec.doctor_words(evervec.source);
drop function evervec.doctor_vectors(evervec.source);
drop function evervec.doctor_updates(evervec.source);
drop function evervec.doctor_triggers(evervec.source);
drop function evervec.expected_triggers(evervec.source);
drop function evervec.partitions_of(regclass);
drop function evervec.doctor_tables(evervec.source);
drop function evervec.doctor_state(evervec.source);
drop function evervec.doctor_signals(evervec.source);
drop function evervec.doctor_recipe(evervec.source);
drop function evervec.doctor_push();
drop function evervec.push_transport();
drop function evervec.pgsql_http();
drop function evervec.pg_net();
drop function evervec.trusted_function(name, name[]);
drop function evervec.doctor_protection(evervec.source);
drop function evervec.doctor_privileges(evervec.source);
drop function evervec.doctor_pgvector();
drop function evervec.doctor_model(evervec.source);
drop function evervec.doctor_maintenance();
drop function evervec.doctor_log();
drop function evervec.doctor_leases(evervec.source);
drop function evervec.doctor_key(evervec.source);
drop function evervec.primary_key(regclass);
drop function evervec.attribute_numbers(regclass, text[]);
drop function evervec.attribute_names(regclass, smallint[]);
drop function evervec.doctor_index(evervec.source);
drop function evervec.wanted_index(evervec.source);
drop function evervec.index_of(evervec.source, text);
drop function evervec.running_build(regclass);
drop function evervec.index_due(evervec.source);
drop function evervec.doctor_lists(evervec.source);
drop function evervec.vector_indexes(evervec.source);
drop function evervec.fitting_lists(regclass);
drop function evervec.comparison(evervec.source, text, text, text);
drop function evervec.metric(text);
drop function evervec.doctor_filters(evervec.source);
drop function evervec.doctor_children(evervec.source);
drop function evervec.track_statement(evervec.source, text, text);
drop function evervec.default_precision(evervec.source);
drop function evervec.bm25_schema();
drop function evervec.key_list(evervec.source, text, boolean);
drop function evervec.doctor_budget(evervec.source);
drop view evervec.budget_status;
drop function evervec.doctor_access();
drop function evervec.doctor(text);
drop function evervec.query_hash(evervec.model, text, text);
drop function evervec.note_change(integer);
drop function evervec.known_result(text, vector, integer, real, jsonb[], name);
drop function evervec.keep_result(text, vector, integer, real, jsonb[], name, pg_snapshot, jsonb[], real[], real[]);
drop function evervec.result_hash(evervec.source, vector, integer, real, jsonb[], name);
drop function evervec.keep_cached(integer, bytea[]);
drop function evervec.forget_results(integer);
drop function evervec.forget_queries(integer);
drop function evervec.setting_number(text, numeric);
drop function evervec.fill_cache(integer[], bytea[], vector[], text[]);
drop function evervec.setting_interval(text, interval);
drop function evervec.caller_context(evervec.source, name);
drop function evervec.cached_query(text, text, text);
drop function evervec.cache_query(text, text, vector, text);
drop function evervec.cache_delete(text, text, interval);
drop function evervec.tokens();
drop function evervec.sign_ring(bytea);
drop function evervec.rotate_secret(interval);
drop function evervec.revoke_token(text);
drop function evervec.keep_secret(text, text, interval);
drop function evervec.forget_secrets();
drop function evervec.create_token(text, text[], text, interval);
drop function evervec.random_key();
drop function evervec.check_token(bytea);
drop function evervec.check_ring(bigint, text, bytea, text);
drop function evervec.secret_values(text);
drop function evervec.ring_signature(text, bigint, text, bytea);
drop function evervec.hmac_sha256(bytea, bytea);
drop function evervec.with_retention(evervec.source, jsonb);
drop function evervec.base_type(oid);
drop function evervec.settled_condition(evervec.source);
drop function evervec.over_row(regclass, text);
drop function evervec.retention_columns(evervec.source);
drop function evervec.restore(text, text, integer);
drop function evervec.drop_views(text);
drop function evervec.drop_vectors(evervec.source, bigint);
drop function evervec.discard_views(evervec.source);
drop function evervec.create_views(evervec.source);
drop function evervec.create_archive_function(evervec.source);
drop function evervec.fragments(evervec.source);
drop function evervec.check_slice(bigint);
drop function evervec.check_owns(evervec.source, text);
drop function evervec.archived_rows(evervec.source);
drop function evervec.estimated_rows(regclass);
drop function evervec.archive(text, interval, text, text, integer);
drop function evervec.apply_retention(integer);
drop function evervec.add_views(text);
drop function evervec.unprotect(text);
drop function evervec.revoke_access(name, text);
drop function evervec.protect(text);
drop function evervec.is_protected(evervec.source);
drop function evervec.grant_access(name, text);
drop function evervec.renew_access();
drop function evervec.missing_rights();
drop function evervec.forget_roles();
drop function evervec.drop_policies(evervec.source, text[]);
drop function evervec.create_policies(evervec.source);
drop function evervec.check_sees_all(evervec.source);
drop function evervec.is_confined(regclass);
drop function evervec.check_role(name);
drop function evervec.access_rights(text);
drop function evervec.generated_functions(text);
drop function evervec.filter_functions(text, text);
drop function evervec.qualified_name(regclass);
drop function evervec.kind_rights();

-- removed: functions/access/access_rights.sql

-- removed: functions/access/check_role.sql

-- removed: functions/access/check_sees_all.sql

-- removed: functions/access/create_policies.sql

-- removed: functions/access/drop_policies.sql

-- removed: functions/access/forget_roles.sql

-- removed: functions/access/grant_access.sql

-- removed: functions/access/is_confined.sql

-- removed: functions/access/is_protected.sql

-- removed: functions/access/kind_rights.sql

-- removed: functions/access/missing_rights.sql

-- removed: functions/access/protect.sql

-- removed: functions/access/renew_access.sql

-- removed: functions/access/revoke_access.sql

-- removed: functions/access/unprotect.sql

-- removed: functions/archive/add_views.sql

-- removed: functions/archive/apply_retention.sql

-- removed: functions/archive/archive.sql

-- removed: functions/archive/archived_rows.sql

-- removed: functions/archive/check_owns.sql

-- removed: functions/archive/check_slice.sql

-- removed: functions/archive/create_archive_function.sql

-- removed: functions/archive/create_views.sql

-- removed: functions/archive/discard_views.sql

-- removed: functions/archive/drop_vectors.sql

-- removed: functions/archive/drop_views.sql

-- removed: functions/archive/restore.sql

-- removed: functions/archive/retention_columns.sql

-- removed: functions/archive/settled_condition.sql

-- removed: functions/archive/with_retention.sql

-- removed: functions/auth/check_ring.sql

-- removed: functions/auth/check_token.sql

-- removed: functions/auth/create_token.sql

-- removed: functions/auth/forget_secrets.sql

-- removed: functions/auth/hmac_sha256.sql

-- removed: functions/auth/keep_secret.sql

-- removed: functions/auth/random_key.sql

-- removed: functions/auth/revoke_token.sql

-- removed: functions/auth/ring_signature.sql

-- removed: functions/auth/rotate_secret.sql

-- removed: functions/auth/secret_values.sql

-- removed: functions/auth/sign_ring.sql

-- removed: functions/auth/tokens.sql

-- removed: functions/cache/cache_delete.sql

-- removed: functions/cache/cache_query.sql

-- removed: functions/cache/cached_query.sql

-- removed: functions/cache/caller_context.sql

-- removed: functions/cache/fill_cache.sql

-- removed: functions/cache/forget_queries.sql

-- removed: functions/cache/forget_results.sql

-- removed: functions/cache/keep_cached.sql

-- removed: functions/cache/keep_result.sql

-- removed: functions/cache/known_result.sql

-- removed: functions/cache/note_change.sql

-- removed: functions/cache/query_hash.sql

-- removed: functions/cache/result_hash.sql

-- removed: functions/control/doctor.sql

-- removed: functions/control/doctor_access.sql

-- removed: functions/control/doctor_budget.sql

-- removed: functions/control/doctor_children.sql

-- removed: functions/control/doctor_filters.sql

-- removed: functions/control/doctor_index.sql

-- removed: functions/control/doctor_key.sql

-- removed: functions/control/doctor_leases.sql

-- removed: functions/control/doctor_lists.sql

-- removed: functions/control/doctor_log.sql

-- removed: functions/control/doctor_maintenance.sql

-- removed: functions/control/doctor_model.sql

-- removed: functions/control/doctor_pgvector.sql

-- removed: functions/control/doctor_privileges.sql

-- removed: functions/control/doctor_protection.sql

-- removed: functions/control/doctor_push.sql

-- removed: functions/control/doctor_recipe.sql

-- removed: functions/control/doctor_signals.sql

-- removed: functions/control/doctor_state.sql

-- removed: functions/control/doctor_tables.sql

-- removed: functions/control/doctor_triggers.sql

-- removed: functions/control/doctor_updates.sql

-- removed: functions/control/doctor_vectors.sql

-- removed: functions/control/doctor_words.sql

-- removed: functions/control/expected_triggers.sql

-- removed: functions/control/pause.sql

-- removed: functions/control/reset.sql

-- removed: functions/control/resume.sql

-- removed: functions/control/setting_interval.sql

-- removed: functions/control/setting_number.sql

-- removed: functions/control/track_statement.sql

-- removed: functions/core/bm25_schema.sql

-- removed: functions/core/lock_key.sql

-- removed: functions/core/lock_relation.sql

-- removed: functions/core/qualified_name.sql

-- removed: functions/core/source_named.sql

-- removed: functions/core/trusted_function.sql

-- removed: functions/cost/estimate.sql

-- removed: functions/cost/set_budget.sql

-- removed: functions/index/build_index.sql

-- removed: functions/index/build_memory.sql

-- removed: functions/index/due_indexes.sql

-- removed: functions/index/fitting_lists.sql

-- removed: functions/index/index_definition.sql

-- removed: functions/index/index_due.sql

-- removed: functions/index/index_of.sql

-- removed: functions/index/index_statement.sql

-- removed: functions/index/index_status.sql

-- removed: functions/index/replace_index.sql

-- removed: functions/index/running_build.sql

-- removed: functions/index/vector_indexes.sql

-- removed: functions/index/wanted_index.sql

-- removed: functions/interaction/add_interaction_type.sql

-- removed: functions/interaction/add_signal.sql

-- removed: functions/interaction/clear_mark.sql

-- removed: functions/interaction/create_signal.sql

-- removed: functions/interaction/drop_partitions.sql

-- removed: functions/interaction/drop_signal.sql

-- removed: functions/interaction/keep_interactions.sql

-- removed: functions/interaction/make_partition.sql

-- removed: functions/interaction/make_partitions.sql

-- removed: functions/interaction/move_interactions.sql

-- removed: functions/interaction/record_interaction.sql

-- removed: functions/interaction/record_interactions.sql

-- removed: functions/interaction/renew_signals.sql

-- removed: functions/interaction/signal_columns.sql

-- removed: functions/interaction/signal_values.sql

-- removed: functions/interaction/user_signals.sql

-- removed: functions/model/add_model.sql

-- removed: functions/model/begin_call.sql

-- removed: functions/model/end_call.sql

-- removed: functions/model/free_model.sql

-- removed: functions/model/get_model.sql

-- removed: functions/model/hold_model.sql

-- removed: functions/model/model_named.sql

-- removed: functions/model/pause_model.sql

-- removed: functions/model/resume_model.sql

-- removed: functions/people/acts_for_all.sql

-- removed: functions/people/check_user.sql

-- removed: functions/people/confine_to_user.sql

-- removed: functions/people/current_user_id.sql

-- removed: functions/people/forget_deleted.sql

-- removed: functions/people/forget_leavers.sql

-- removed: functions/people/forget_truncated.sql

-- removed: functions/people/forget_user.sql

-- removed: functions/people/forget_users.sql

-- removed: functions/people/leave.sql

-- removed: functions/people/track_users.sql

-- removed: functions/people/untrack_users.sql

-- removed: functions/people/user_tables.sql

-- removed: functions/preference/add_preference.sql

-- removed: functions/preference/centre_of.sql

-- removed: functions/preference/check_preference.sql

-- removed: functions/preference/definitions_hash.sql

-- removed: functions/preference/find_tastes.sql

-- removed: functions/preference/inputs_hash.sql

-- removed: functions/preference/learn.sql

-- removed: functions/preference/preferences_of.sql

-- removed: functions/preference/update_user_embedding.sql

-- removed: functions/preference/update_user_embeddings.sql

-- removed: functions/preference/user_inputs.sql

-- removed: functions/preference/weights_query.sql

-- removed: functions/push/configure_push.sql

-- removed: functions/push/embed_by_service.sql

-- removed: functions/push/has_work.sql

-- removed: functions/push/pg_net.sql

-- removed: functions/push/pgsql_http.sql

-- removed: functions/push/post_json.sql

-- removed: functions/push/push_off.sql

-- removed: functions/push/push_transport.sql

-- removed: functions/push/ring.sql

-- removed: functions/push/ring_after_change.sql

-- removed: functions/push/ring_once.sql

-- removed: functions/push/send_ring.sql

-- removed: functions/queue/active_sources.sql

-- removed: functions/queue/add_task.sql

-- removed: functions/queue/backfill.sql

-- removed: functions/queue/bury_jobs.sql

-- removed: functions/queue/check_request.sql

-- removed: functions/queue/checked_keys.sql

-- removed: functions/queue/claim_jobs.sql

-- removed: functions/queue/complete_jobs.sql

-- removed: functions/queue/coverage.sql

-- removed: functions/queue/dead_letter_statistics.sql

-- removed: functions/queue/dead_letters.sql

-- removed: functions/queue/dependents.sql

-- removed: functions/queue/drop_jobs.sql

-- removed: functions/queue/due_jobs.sql

-- removed: functions/queue/enqueue.sql

-- removed: functions/queue/enqueue_task.sql

-- removed: functions/queue/erase_vectors.sql

-- removed: functions/queue/estimated_rows.sql

-- removed: functions/queue/extend_lease.sql

-- removed: functions/queue/fail_jobs.sql

-- removed: functions/queue/feed.sql

-- removed: functions/queue/feed_slice.sql

-- removed: functions/queue/finish_jobs.sql

-- removed: functions/queue/fold.sql

-- removed: functions/queue/fold_source.sql

-- removed: functions/queue/forget_letters.sql

-- removed: functions/queue/job_status.sql

-- removed: functions/queue/keys_query.sql

-- removed: functions/queue/lease_jobs.sql

-- removed: functions/queue/lock_leased.sql

-- removed: functions/queue/log_batch.sql

-- removed: functions/queue/log_slice.sql

-- removed: functions/queue/named_jobs.sql

-- removed: functions/queue/next_slice.sql

-- removed: functions/queue/open_letter.sql

-- removed: functions/queue/operation_priority.sql

-- removed: functions/queue/pending.sql

-- removed: functions/queue/policy_of.sql

-- removed: functions/queue/queue_keys.sql

-- removed: functions/queue/queue_rows.sql

-- removed: functions/queue/reclaim.sql

-- removed: functions/queue/reconcile.sql

-- removed: functions/queue/release_jobs.sql

-- removed: functions/queue/render_jobs.sql

-- removed: functions/queue/render_states.sql

-- removed: functions/queue/requeue_letters.sql

-- removed: functions/queue/resolve_dead_letter.sql

-- removed: functions/queue/retry_dead_letter.sql

-- removed: functions/queue/retry_dead_letter_of_job.sql

-- removed: functions/queue/retry_dead_letters.sql

-- removed: functions/queue/retry_delay.sql

-- removed: functions/queue/row_keys.sql

-- removed: functions/queue/row_priorities.sql

-- removed: functions/queue/run_task.sql

-- removed: functions/queue/start_pass.sql

-- removed: functions/queue/task_left.sql

-- removed: functions/queue/task_progress.sql

-- removed: functions/queue/task_step.sql

-- removed: functions/queue/tick.sql

-- removed: functions/queue/tid_block.sql

-- removed: functions/queue/try_write_vectors.sql

-- removed: functions/queue/with_failure.sql

-- removed: functions/queue/write_vectors.sql

-- removed: functions/recommend/cache_forget.sql

-- removed: functions/recommend/cache_get.sql

-- removed: functions/recommend/cache_put.sql

-- removed: functions/recommend/keep_recommendation.sql

-- removed: functions/recommend/liked_nearby.sql

-- removed: functions/recommend/open_sources.sql

-- removed: functions/recommend/presence_query.sql

-- removed: functions/recommend/recommend.sql

-- removed: functions/recommend/recommendation_plan.sql

-- removed: functions/recommend/refresh_preference.sql

-- removed: functions/recommend/sees_row.sql

-- removed: functions/recommend/update_trends.sql

-- removed: functions/recommend/user_state.sql

-- removed: functions/schedule/cleanup_expired.sql

-- removed: functions/schedule/cron_schedule.sql

-- removed: functions/schedule/forget_rows.sql

-- removed: functions/schedule/has_cron.sql

-- removed: functions/schedule/maintain.sql

-- removed: functions/schedule/maintenance_jobs.sql

-- removed: functions/schedule/schedule_maintenance.sql

-- removed: functions/schedule/unschedule_maintenance.sql

-- removed: functions/search/add_filter.sql

-- removed: functions/search/among_query.sql

-- removed: functions/search/better_index.sql

-- removed: functions/search/bm25_ranking.sql

-- removed: functions/search/check_row_key.sql

-- removed: functions/search/check_words.sql

-- removed: functions/search/comparison.sql

-- removed: functions/search/diversify.sql

-- removed: functions/search/drop_filter.sql

-- removed: functions/search/duplicates_of.sql

-- removed: functions/search/filter_arguments.sql

-- removed: functions/search/filter_named.sql

-- removed: functions/search/find_similar.sql

-- removed: functions/search/find_similar_among.sql

-- removed: functions/search/find_similar_to.sql

-- removed: functions/search/hybrid_pool.sql

-- removed: functions/search/hybrid_search.sql

-- removed: functions/search/index_visits.sql

-- removed: functions/search/keep_effort.sql

-- removed: functions/search/list_probes.sql

-- removed: functions/search/may_search_exactly.sql

-- removed: functions/search/measure_recall.sql

-- removed: functions/search/metric.sql

-- removed: functions/search/near_duplicates.sql

-- removed: functions/search/parse_key.sql

-- removed: functions/search/query_limit.sql

-- removed: functions/search/query_of.sql

-- removed: functions/search/recall_check.sql

-- removed: functions/search/recall_queries.sql

-- removed: functions/search/render.sql

-- removed: functions/search/render_rows.sql

-- removed: functions/search/search.sql

-- removed: functions/search/search_size.sql

-- removed: functions/search/tune.sql

-- removed: functions/search/vector_lookup.sql

-- removed: functions/search/words_of.sql

-- removed: functions/storage/check_vectors.sql

-- removed: functions/storage/create_manual_functions.sql

-- removed: functions/storage/delete_embedding.sql

-- removed: functions/storage/delete_embeddings.sql

-- removed: functions/storage/get_embedding.sql

-- removed: functions/storage/get_embeddings.sql

-- removed: functions/storage/manual_source.sql

-- removed: functions/storage/put_embedding.sql

-- removed: functions/storage/put_embeddings.sql

-- removed: functions/storage/vectors_lookup.sql

-- removed: functions/track/act_as_owner.sql

-- removed: functions/track/add_dependencies.sql

-- removed: functions/track/add_source.sql

-- removed: functions/track/analyse_sql.sql

-- removed: functions/track/attribute_names.sql

-- removed: functions/track/attribute_numbers.sql

-- removed: functions/track/base_type.sql

-- removed: functions/track/changed_keys.sql

-- removed: functions/track/check_name.sql

-- removed: functions/track/check_option.sql

-- removed: functions/track/check_references.sql

-- removed: functions/track/check_relation.sql

-- removed: functions/track/column_text.sql

-- removed: functions/track/columns_text.sql

-- removed: functions/track/compile_recipe.sql

-- removed: functions/track/create_column_functions.sql

-- removed: functions/track/create_dependency_triggers.sql

-- removed: functions/track/create_dependents_functions.sql

-- removed: functions/track/create_document.sql

-- removed: functions/track/create_document_functions.sql

-- removed: functions/track/create_erase_functions.sql

-- removed: functions/track/create_filter.sql

-- removed: functions/track/create_filter_functions.sql

-- removed: functions/track/create_hybrid_function.sql

-- removed: functions/track/create_key_function.sql

-- removed: functions/track/create_log_function.sql

-- removed: functions/track/create_partition_triggers.sql

-- removed: functions/track/create_pass_functions.sql

-- removed: functions/track/create_priority_function.sql

-- removed: functions/track/create_render_function.sql

-- removed: functions/track/create_row_function.sql

-- removed: functions/track/create_row_functions.sql

-- removed: functions/track/create_sample_function.sql

-- removed: functions/track/create_search.sql

-- removed: functions/track/create_search_function.sql

-- removed: functions/track/create_search_functions.sql

-- removed: functions/track/create_similar_functions.sql

-- removed: functions/track/create_table_functions.sql

-- removed: functions/track/create_target.sql

-- removed: functions/track/create_taste_functions.sql

-- removed: functions/track/create_trigger_function.sql

-- removed: functions/track/create_trigger_functions.sql

-- removed: functions/track/create_triggers.sql

-- removed: functions/track/create_vector_functions.sql

-- removed: functions/track/default_precision.sql

-- removed: functions/track/dependents_query.sql

-- removed: functions/track/drop_functions.sql

-- removed: functions/track/drop_triggers.sql

-- removed: functions/track/filter_functions.sql

-- removed: functions/track/follow_renames.sql

-- removed: functions/track/fragments.sql

-- removed: functions/track/generated_functions.sql

-- removed: functions/track/get_source.sql

-- removed: functions/track/is_scalar.sql

-- removed: functions/track/key_call.sql

-- removed: functions/track/key_decoded.sql

-- removed: functions/track/key_decoy.sql

-- removed: functions/track/key_list.sql

-- removed: functions/track/key_match.sql

-- removed: functions/track/match_index.sql

-- removed: functions/track/match_key_types.sql

-- removed: functions/track/over_row.sql

-- removed: functions/track/partitions_of.sql

-- removed: functions/track/pinned_settings.sql

-- removed: functions/track/primary_key.sql

-- removed: functions/track/result_name.sql

-- removed: functions/track/retrack.sql

-- removed: functions/track/row_differs.sql

-- removed: functions/track/search_body.sql

-- removed: functions/track/suspend.sql

-- removed: functions/track/target_column_name.sql

-- removed: functions/track/template_parts.sql

-- removed: functions/track/template_text.sql

-- removed: functions/track/track.sql

-- removed: functions/track/untrack.sql

-- removed: functions/track/update_source.sql

-- removed: functions/track/vanished_vectors.sql

-- removed: functions/track/with_columns.sql

-- removed: functions/track/with_index.sql

-- removed: functions/track/with_key.sql

-- removed: functions/track/with_present_names.sql

-- removed: functions/track/with_priority.sql

-- removed: functions/track/with_recipe.sql

-- removed: functions/track/with_return_columns.sql

-- removed: functions/track/with_text_search.sql

-- removed: views/alerts.sql

-- removed: views/budget_status.sql

-- removed: views/cost.sql

-- removed: views/egress.sql

-- removed: views/queue_health.sql

-- removed: views/status.sql

-- generated: end

delete from evervec.schema_version where migration_id = 'evervec_0002_functions';
