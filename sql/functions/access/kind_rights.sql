-- kind_rights: what each kind of access is made of; the one place where that is said.
--
-- object: function (name: in schema evervec), source function (name: the prefix of a source's own), relation (name: in schema evervec),
-- vectors (the embedding table of every source; tables of yours are yours to grant). docs/security.md has the same as a table.
-- Locks:  none.
create or replace function evervec.kind_rights()
returns table (kind text, object text, name text, privilege text)
language sql immutable
set search_path from current
as $$
    select r.kind, r.object, n.name, r.privilege
      from (values
        ('reader', 'function', 'execute',
         'find_similar find_similar_among among_query find_similar_to row_keys keys_query search hybrid_search near_duplicates get_embedding get_embeddings get_source get_model parse_key cached_query '
         'query_limit search_size may_search_exactly index_visits list_probes estimated_rows partitions_of diversify query_of check_words words_of hybrid_pool bm25_ranking bm25_schema known_result keep_result '
         'duplicates_of vector_lookup vectors_lookup recall_check measure_recall recall_queries check_option'),
        ('reader', 'source function', 'execute', 'nearest find_similar similar hybrid_search filter key'),
        ('reader', 'vectors', 'select', '*'),
        ('reader', 'function', 'execute', 'current_user_id acts_for_all check_user'),
        ('reader', 'function', 'execute',
         'recommend recommendation_plan keep_recommendation liked_nearby open_sources presence_query sees_row cache_get'),
        ('reader', 'relation', 'select', 'trend'),
        ('reader', 'relation', 'select', 'interaction row_mark user_preference recommendation_cache analysis_cache'),

        ('writer', 'function', 'execute',
         'put_embedding put_embeddings delete_embedding delete_embeddings enqueue job_status cache_query get_source get_model parse_key'),
        ('writer', 'function', 'execute', 'record_interaction record_interactions clear_mark update_user_embedding current_user_id acts_for_all check_user'),
        ('writer', 'function', 'execute', 'cache_put cache_get cache_forget'),

        ('worker', 'function', 'execute',
         'claim_jobs complete_jobs fail_jobs release_jobs extend_lease begin_call end_call log_batch tick maintain pending due_indexes '
         'get_source get_model index_of running_build vector_indexes estimated_rows archived_rows partitions_of check_ring check_token'),
        ('worker', 'relation', 'select', 'status queue_health schema_version'),
        ('worker', 'function', 'execute', 'current_user_id acts_for_all check_user update_user_embedding update_user_embeddings'),

        ('admin', 'function', 'execute',
         'doctor pending coverage estimate render render_rows parse_key get_source get_model job_status dead_letters dead_letter_statistics '
         'pause resume backfill reconcile reset enqueue enqueue_task retry_dead_letter retry_dead_letter_of_job retry_dead_letters resolve_dead_letter '
         'add_model pause_model resume_model set_budget cache_delete due_indexes tick '
         'cleanup_expired ring maintenance_jobs schedule_maintenance unschedule_maintenance '
         'archive restore apply_retention index_of running_build vector_indexes index_due estimated_rows archived_rows fitting_lists doctor_budget doctor_lists doctor_model doctor_protection doctor_triggers expected_triggers is_protected qualified_name '
         'partitions_of template_parts setting_interval setting_number tokens revoke_token '
         'index_status tune keep_effort better_index '
         'add_interaction_type move_interactions record_interaction record_interactions clear_mark doctor_signals forget_user'),
        ('admin', 'relation', 'select',
         'status queue_health alerts cost budget_status egress access batch_log budget change_log dead_letter dependency filter fold_state job_receipt '
         'maintenance model model_call processing_queue push retry_policy schema_version setting source spending '
         'interaction row_mark user_preference recommendation_cache analysis_cache interaction_type weighting signal preference trend user_relation'),
        ('admin', 'function', 'execute', 'current_user_id acts_for_all check_user add_preference update_user_embedding update_user_embeddings'),
        ('admin', 'function', 'execute', 'update_trends open_sources presence_query sees_row cache_put cache_get cache_forget'),
        ('admin', 'relation', 'update', 'model retry_policy setting interaction_type weighting'),
        ('admin', 'relation', 'insert', 'retry_policy'),
        ('admin', 'relation', 'delete', 'retry_policy')
      ) as r (kind, object, privilege, names)
      cross join lateral string_to_table(r.names, ' ') as n (name)
$$;

comment on function evervec.kind_rights() is
$$Internal. The rights of reader, writer, worker and admin: privilege on object (function, source function, relation, vectors) by name.$$;

revoke execute on function evervec.kind_rights() from public;
