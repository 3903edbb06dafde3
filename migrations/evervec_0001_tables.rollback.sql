-- By now no source is tracked (0003) and no function stands (0002): nothing outside the schema depends on it.
do $$
begin
    if exists (select from evervec.secret where vault_id is not null) then
        delete from vault.secrets where id in (select vault_id from evervec.secret);
    end if;
end
$$;
drop sequence evervec.next_ring;
drop table
    evervec.leaver,
    evervec.user_relation,
    evervec.analysis_cache,
    evervec.recommendation_cache,
    evervec.trend_state,
    evervec.trend,
    evervec.source_centre,
    evervec.user_preference,
    evervec.preference,
    evervec.weighting,
    evervec.signal,
    evervec.row_mark,
    evervec.interaction_key,
    evervec.interaction,
    evervec.interaction_type,
    evervec.push,
    evervec.maintenance,
    evervec.secret,
    evervec.ring_nonce,
    evervec.api_token,
    evervec.access,
    evervec.batch_log,
    evervec.spending,
    evervec.budget,
    evervec.embedding_cache,
    evervec.query_cache,
    evervec.search_cache,
    evervec.source_change,
    evervec.setting,
    evervec.retry_policy,
    evervec.dead_letter,
    evervec.job_receipt,
    evervec.processing_queue,
    evervec.fold_state,
    evervec.change_log,
    evervec.dependency,
    evervec.filter,
    evervec.source,
    evervec.model_call,
    evervec.model,
    evervec.schema_version;
drop type evervec.signal_row;
drop schema evervec;
