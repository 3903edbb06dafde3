-- By now no source is tracked (0003) and no function stands (0002): nothing outside the schema depends on it.
drop table
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
drop schema evervec;
