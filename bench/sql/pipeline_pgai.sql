-- pgai's vectorizer for the same rows, without chunking and without an index.
select ai.create_vectorizer(
    'pipeline.pgai'::regclass,
    loading          => ai.loading_column('body'),
    embedding        => ai.embedding_openai('text-embedding-3-small', {dimensions}),
    chunking         => ai.chunking_none(),
    destination      => ai.destination_table(target_schema => 'pipeline', target_table => 'pgai_embedding',
                                             view_schema => 'pipeline', view_name => 'pgai_with_embedding'),
    queue_schema     => 'pipeline',
    queue_table      => 'pgai_queue',
    indexing         => ai.indexing_none(),
    scheduling       => ai.scheduling_none(),
    enqueue_existing => false
);
