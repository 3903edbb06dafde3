-- Rows to embed, in tables alike: one with evervec's defaults, one without its cache of vectors, one for pgai, one for an index.
create schema pipeline;
select evervec.add_model('pipeline', 'openai', {dimensions}, p_provider_model => 'text-embedding-3-small');
create table pipeline.standard (id bigint primary key, body text not null);
create table pipeline.uncached (id bigint primary key, body text not null);
create table pipeline.pgai (id bigint primary key, body text not null);
create table pipeline.indexed (id bigint primary key, body text not null);
select evervec.track('pipeline.standard', p_template => '{{body}}', p_model => 'pipeline', p_index => 'none',
                     p_backfill => false);
select evervec.track('pipeline.uncached', p_template => '{{body}}', p_model => 'pipeline', p_index => 'none',
                     p_backfill => false, p_cache => false);
