-- pgai's triggers, queue and vector table, by its own function. No worker ever runs, so the model is never called.
select ai.create_vectorizer(
    '{schema}.doc'::regclass,
    loading          => ai.loading_column('body'),
    embedding        => ai.embedding_openai('text-embedding-3-small', {dimensions}),
    destination      => ai.destination_table(target_schema => {schema_name}, target_table => 'doc_embedding',
                                             view_schema => {schema_name}, view_name => 'doc_with_embedding'),
    queue_schema     => {schema_name},
    queue_table      => 'queue',
    indexing         => ai.indexing_none(),
    scheduling       => ai.scheduling_none(),
    enqueue_existing => false
);
