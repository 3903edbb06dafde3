-- Two tables for the queue, alike but for the cache of vectors. Their model has one dimension: a vector costs next to nothing.
create schema queue;
select evervec.add_model('queue', 'none', 1);
create table queue.note (id bigint primary key, body text not null);
create table queue.cached (id bigint primary key, body text not null);
select evervec.track('queue.note', p_template => '{{body}}', p_model => 'queue', p_index => 'none', p_backfill => false,
                     p_cache => false);
select evervec.track('queue.cached', p_template => '{{body}}', p_model => 'queue', p_index => 'none', p_backfill => false);
