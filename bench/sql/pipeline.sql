-- Rows to embed, in tables alike: one with evervec's defaults, one with requests as large as OpenAI takes them, one for pgai.
create schema pipeline;
select evervec.add_model('pipeline', 'openai', {dimensions}, p_provider_model => 'text-embedding-3-small');
select evervec.add_model('pipeline_large', 'openai', {dimensions}, p_provider_model => 'text-embedding-3-small',
                         p_batch_texts => {texts});
create table pipeline.standard (id bigint primary key, body text not null);
create table pipeline.large (id bigint primary key, body text not null);
create table pipeline.pgai (id bigint primary key, body text not null);
create table pipeline.indexed (id bigint primary key, body text not null);
select evervec.track('pipeline.standard', p_template => '{{body}}', p_model => 'pipeline', p_index => 'none',
                     p_backfill => false);
select evervec.track('pipeline.large', p_template => '{{body}}', p_model => 'pipeline_large', p_index => 'none',
                     p_backfill => false);
