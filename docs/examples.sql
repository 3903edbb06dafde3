-- The examples of docs/sql-api.md, one a function, in the order of a story that a test plays from top to bottom.
-- `-- worker` stands where a worker catches up, so that vectors are there.

-- example: setup
create table film (
    id       integer primary key,
    title    text not null,
    genres   text,
    director text,
    year     integer
);
insert into film (id, title, genres, director, year)
values (1, 'Alien', 'Horror, Science Fiction', 'Ridley Scott', 1979),
       (2, 'Blade Runner', 'Science Fiction, Drama', 'Ridley Scott', 1982),
       (3, 'Unforgiven', 'Western', 'Clint Eastwood', 1992),
       (4, 'High Noon', 'Western', 'Fred Zinnemann', 1952),
       (5, 'Some Like It Hot', 'Comedy, Romance', 'Billy Wilder', 1959);

-- example: add_model
-- Any service that speaks OpenAI's format. The key stays in the worker's environment.
select evervec.add_model('text-embedding-3-small', 'openai', 1536,
                         p_price_per_million_tokens => 0.02, p_tokens_per_minute => 1000000);

-- example: get_model
select name, provider, dimensions from evervec.get_model('local');

-- example: track
-- 'Title: Alien', 'Genres: Horror, Science Fiction', …: a line for each column that is not blank.
select evervec.track('film', p_columns => '{title,genres,director}');

-- Or in words of yours, as a second source over the same table.
select evervec.track('film', p_template => '{title} ({year}). {genres}.', p_name => 'film_in_words');

-- example: get_source
select relation, model, target, key_columns from evervec.get_source('film');

-- example: pending
select * from evervec.pending('film');

-- worker

-- example: backfill
select evervec.backfill('film');

-- worker

-- example: reconcile
-- After writes that no trigger saw. Call it until examined is 0, or leave the rest to the workers.
select * from evervec.reconcile('film');

-- worker

-- example: enqueue
-- Rows are queued by triggers; this is for those that you want sooner, or with words of yours in their job.
select * from evervec.enqueue('film', array['{"id": 1}', '{"id": 2}']::jsonb[], 'create', p_metadata => '{"request": "a1b2"}');
select * from evervec.enqueue('film_in_words', 'missing');

-- example: row_keys
-- The next hundred rows without a vector, to be queued before all others.
select evervec.enqueue('film', array(select evervec.row_keys('film', p_limit => 100)), 'create');
select * from evervec.row_keys('film', p_missing => false, p_after => '{"id": 2}', p_limit => 2);

-- example: enqueue_task
select evervec.enqueue_task('batch', '{"source": "film", "row_keys": [{"id": 3}, {"id": 4}]}', p_priority => 8);

-- example: job_status
select s.state, s.progress, s.attempt, s.max_attempts, s.next_try_at, s.last_error
  from evervec.enqueue('film', array['{"id": 5}']::jsonb[]) job_id
  cross join lateral evervec.job_status(job_id) s;

-- worker

-- example: suspend
select evervec.suspend('film');
alter table film alter column director type varchar(200);

-- example: retrack
-- After suspend; or at any time, to give the source another recipe.
select evervec.retrack('film', p_columns => '{title,genres,director,year}', p_text_search => 'english');

-- Another index, half as large; the former one is used until a worker has built it.
select evervec.retrack('film', p_precision => 'half');

-- worker

-- example: pause
-- Changes are queued meanwhile. Without a name: every source.
select evervec.pause('film_in_words');

-- example: resume
select evervec.resume();

-- example: pause_model
-- Stops every source of the model; errors that are about the service (a wrong key, a rate limit) do the same for a while.
select evervec.pause_model('text-embedding-3-small', now() + interval '1 hour', 'the month''s budget is spent');

-- example: resume_model
select evervec.resume_model('text-embedding-3-small');

-- example: cache_delete
-- A text that was embedded is not paid for again for 30 days after its last use. Call it until 0.
select evervec.cache_delete('film_in_words');
select evervec.cache_delete(p_model => 'local', p_older_than => '7 days');

-- example: cache_query
-- After embedding the words of a search: the next one who searches for them need not.
select evervec.cache_query('local', 'a western', array_fill(0.1::real, '{512}')::vector);

-- example: cached_query
-- NULL: embed the words, search, and call cache_query.
select evervec.cached_query('local', 'a western') is not null as known, evervec.cached_query('local', 'ducks') is null as unknown;

-- example: begin_call
-- What a worker asks before a request to a model with limits: a call_id, or how long to wait.
select * from evervec.begin_call('text-embedding-3-small', 1200);

-- example: end_call
select evervec.end_call(call_id, p_tokens => 1187) from evervec.begin_call('text-embedding-3-small', 1200);

-- example: estimate
-- Before a backfill: rows without a vector, and what theirs would cost.
select * from evervec.estimate('film');

-- example: set_budget
-- What the model may spend on a day; NULL, the default, is unlimited.
select evervec.set_budget('text-embedding-3-small', p_cost_a_day => 5);
select evervec.set_budget(p_source => 'film', p_tokens_a_day => 1000000);
select evervec.set_budget(p_source => 'film');    -- no more budget

-- example: budget_status
select model, source, tokens_a_day, cost_a_day, tokens_today, cost_today, spent from evervec.budget_status;

-- example: reset
select evervec.reset('film_in_words');

-- Or of one row, which is embedded anew, whatever the cache has.
select evervec.reset('film', array['{"id": 1}']::jsonb[]);

-- worker

-- example: archive
-- Until 0. By p_older_than, p_where or both; with neither, by the retention that track was given.
select evervec.archive('film', p_where => 'year < 1960');

-- example: add_views
select evervec.add_views('film');
select title from film_archived order by title;

-- example: drop_views
select evervec.drop_views('film');

-- example: restore
select evervec.restore('film', 'year < 1960');

-- example: apply_retention
-- Maintenance does this for every source with a retention.
select evervec.retrack('film', p_retention => '{"older_than": "90 days", "where": "year < 1960"}');
select evervec.apply_retention();
select evervec.retrack('film', p_retention => '{}');

-- worker

-- example: doctor
-- No rows: all is well. Here the findings are counted.
select count(*) filter (where severity = 'error') as errors, count(*) filter (where severity = 'advice') as advice
  from evervec.doctor();

-- example: alerts
select count(*) from evervec.alerts;

-- example: status
select source, pending, processing, retrying, dead, vectors, index_state from evervec.status;

-- example: queue_health
-- How fast work is done, and when it will be.
select source, pending, oldest, rows_a_minute, eta from evervec.queue_health;

-- example: coverage
select * from evervec.coverage('film');

-- example: render
select evervec.render('film', '{"id": 1}');

-- example: render_rows
select * from evervec.render_rows('film', array['{"id": 1}', '{"id": 2}']::jsonb[]);

-- example: parse_key
select evervec.parse_key('film', '1') as bare, evervec.parse_key('film', '{"id": "1"}') as object;

-- example: due_indexes
-- None: the worker has built it.
select count(*) from evervec.due_indexes();

-- example: index_statement
-- NULL once the worker has built the index.
select evervec.index_statement('film');

-- example: index_status
-- State, method, precision, size and effort of every index; build_bytes is the maintenance_work_mem with which its build is fast.
select index, state, method, index_precision, bytes, effort, build_bytes from evervec.index_status('film');

-- example: build_index
select evervec.build_index('film_in_words');

-- example: find_similar
select f.title, s.similarity
  from evervec.find_similar('film', (select embedding from film_embedding where id = 1), p_limit => 3) s
  join film f on f.id = (s.row_key ->> 'id')::integer
 order by s.distance;

-- example: find_similar_to
select f.title, s.similarity
  from evervec.find_similar_to('film', '{"id": 3}', p_limit => 3) s
  join film f on f.id = (s.row_key ->> 'id')::integer
 order by s.distance;

-- example: near_duplicates
-- Each pair once. On a large table by slices: give the row_key of the last row, which has no other_key, as p_after.
select * from evervec.near_duplicates('film', 0.2, p_limit => 1000);
select * from evervec.near_duplicates('film', 0.2, p_after => '{"id": 2}', p_limit => 2);

-- example: recall_check
-- effort is NULL: so few vectors are searched exactly.
select effort, samples, recall, p50_ms, exact_p50_ms from evervec.recall_check('film', p_samples => 5, p_limit => 3);

-- example: tune
select * from evervec.tune('film', null);    -- the default again
select * from evervec.tune('film', 0.99);

-- example: search
-- Words whose vector is known: for a day after evervec search, evervec.Search in Python, or cache_query (see there).
select f.title, s.similarity
  from evervec.search('film', 'a western', p_limit => 3) s
  join film f on f.id = (s.row_key ->> 'id')::integer
 order by s.distance;

-- example: hybrid_search
-- Of a source that keeps words: retrack('film', p_text_search => 'english'), and a worker has been there.
select f.title, h.score, h.vector_rank, h.text_rank
  from evervec.hybrid_search('film', 'a western', p_limit => 3) h
  join film f on f.id = (h.row_key ->> 'id')::integer
 order by h.score desc;

-- example: nearest_film
select f.title, f.year, n.distance
  from evervec.nearest_film((select embedding from film_embedding where id = 1), 3) n
  join film f using (id)
 order by n.distance;

-- example: find_similar_film
-- Three that are like it, and not all like each other.
select evervec.retrack('film', p_return_columns => '{title,year}');
select id, title, year, similarity
  from evervec.find_similar_film((select embedding from film_embedding where id = 1), 3, p_exclude => '{1}', p_diversity => 0.3);

-- example: add_filter
select evervec.add_filter('film', 'by_year', 'year between p_from and p_to', '{p_from integer,p_to integer}');
select title, year, similarity
  from evervec.find_similar_film_by_year((select embedding from film_embedding where id = 1), 1950, 1990, p_limit => 2);

-- Only what a user has: a filter that looks into another table.
create table owned (user_name text, film_id integer, primary key (user_name, film_id));
insert into owned values ('ann', 1), ('ann', 2), ('bob', 3);
select evervec.add_filter('film', 'owned',
    'exists (select from public.owned o where o.film_id = film.id and o.user_name = p_user)', '{p_user text}');
select title from evervec.find_similar_film_owned((select embedding from film_embedding where id = 4), 'ann');

-- example: find_similar_among
-- The same for any source and filter by their names; parameters in a JSON object.
select * from evervec.find_similar_among('film', 'owned', '{"p_user": "ann"}', (select embedding from film_embedding where id = 4));

-- example: drop_filter
select evervec.drop_filter('film', 'owned');

-- example: dead_letters
-- The API refuses a text for good: bad_input is not tried again.
update film set title = 'Alien (refused)' where id = 1;
select failed.outcome
  from evervec.claim_jobs(1, p_sources => '{film}') j
  cross join lateral evervec.fail_jobs(j.lease_token, array[j.job_id], 'bad_input', 'content policy', 400) failed;
select dead_letter_id, row_key, error_class, status_code, message, failures from evervec.dead_letters('film');

-- example: dead_letter_statistics
select open, by_class, oldest from evervec.dead_letter_statistics();

-- example: retry_dead_letter
select evervec.retry_dead_letter(dead_letter_id) from evervec.dead_letters('film', p_limit => 1);

-- worker

-- example: retry_dead_letter_of_job
update film set title = 'Alien (refused again)' where id = 1;
select evervec.fail_jobs(lease_token, array[job_id], 'bad_input', 'content policy', 400)
  from evervec.claim_jobs(1, p_sources => '{film}');
select evervec.retry_dead_letter_of_job(job_id) from evervec.dead_letters('film', p_limit => 1);

-- worker

-- example: retry_dead_letters
-- When what they died of is mended. Call it until 0.
select evervec.retry_dead_letters('film', 'bad_input');

-- example: resolve_dead_letter
update film set title = 'Alien (refused for ever)' where id = 1;
select evervec.fail_jobs(lease_token, array[job_id], 'bad_input', 'content policy', 400)
  from evervec.claim_jobs(1, p_sources => '{film}');
select evervec.resolve_dead_letter(dead_letter_id, p_note => 'not to be searched') from evervec.dead_letters('film');

-- example: claim_jobs
update film set title = 'Alien: Director''s Cut' where id = 1;
select job_id, lease_token, state, content from evervec.claim_jobs(10, p_sources => '{film}');

-- example: complete_jobs
-- What a worker does, with vectors that say nothing.
update film set year = 1953, title = 'High Noon (restored)' where id = 4;
select done.*
  from (
    select (array_agg(lease_token))[1] as lease_token, array_agg(job_id) as job_ids,
           array_agg(array_fill(0.1::real, '{512}')::vector) as embeddings
      from evervec.claim_jobs(10)
     where state = 'embed'
  ) claimed
  cross join lateral evervec.complete_jobs(claimed.lease_token, claimed.job_ids, claimed.embeddings) done;

-- example: fail_jobs
update film set title = 'Unforgiven (restored)' where id = 3;
select failed.*
  from evervec.claim_jobs(1, p_sources => '{film}') j
  cross join lateral evervec.fail_jobs(j.lease_token, array[j.job_id], 'timeout', 'no answer within 60 s') failed;

-- example: extend_lease
update film set title = 'Blade Runner (restored)' where id = 2;
select evervec.extend_lease(j.lease_token, '10 minutes')
  from evervec.claim_jobs(1, p_sources => '{film}') j;

-- example: release_jobs
update film set title = 'Some Like It Hot (restored)' where id = 5;
select evervec.release_jobs(j.lease_token, array[j.job_id])
  from evervec.claim_jobs(1, p_sources => '{film}') j;

-- example: log_batch
select evervec.log_batch('worker-1', '[{"source": "film", "model": "local", "claimed": 10, "embedded": 9, "unchanged": 1,
                                        "requests": 1, "tokens": 320}]');

-- example: cost
select day, source, requests, texts, cached, tokens, cost from evervec.cost order by day, source;

-- example: egress
select source, relation, column_name, provider, leaves from evervec.egress;

-- example: tick
select * from evervec.tick();

-- example: cleanup_expired
select * from evervec.cleanup_expired();

-- example: configure_push
-- Rings by pg_net or pgsql-http, whichever is there; without both, none does.
select evervec.configure_push('https://webhook.example.org');

-- example: ring
select * from evervec.ring();

-- example: push_off
select evervec.push_off();

-- example: maintain
select * from evervec.maintain();

-- example: maintenance_jobs
select name, schedule, command from evervec.maintenance_jobs();

-- example: schedule_maintenance
-- Where pg_cron is in this database, and USAGE on its schema granted to evervec's owner.
select name, schedule from evervec.schedule_maintenance();

-- example: unschedule_maintenance
select evervec.unschedule_maintenance();

-- example: grant_access
-- On what there is and on what is tracked later. Role and table stay yours: it sees what the table's policies let it see.
select evervec.grant_access('shop_web', 'reader');

-- example: renew_access
select evervec.renew_access();

-- example: revoke_access
select evervec.revoke_access('shop_web', 'reader');

-- example: protect
-- For a table that gains row-level security after it was tracked; track does it otherwise.
alter table film enable row level security;
select evervec.protect('film');

-- example: unprotect
alter table film disable row level security;
select evervec.unprotect('film');

-- example: create_token
-- Shown this once.
select evervec.create_token('shop_web', '{read}', p_expires => '90 days');

-- example: tokens
select name, scopes, expires_at, last_used_at from evervec.tokens() where revoked_at is null;

-- example: check_token
-- The webhook sends the hash of what it was given, never the token. (Here one is made on the spot.)
select * from evervec.check_token(sha256(evervec.create_token('shop_app', '{write}')::bytea));

-- example: revoke_token
select evervec.revoke_token('shop_web');

-- example: rotate_secret
-- Rings are signed with a new secret from now on; those on their way are still believed.
select evervec.rotate_secret();

-- example: check_ring
-- What the webhook was sent: two headers, the body, and the signature.
select evervec.check_ring(1767225600, '8f14e45fceea167a5a36dedd4bea2543', '{"evervec": "ring"}', 'v1=…');

-- example: put_embedding
-- A source whose vectors you bring yourself, of the model that you name.
select evervec.track('film', p_name => 'film_poster', p_model => 'text-embedding-3-small', p_storage => 'manual');
select evervec.put_embedding('film_poster', '{"id": 1}', array_fill(0.1::real, '{1536}')::vector,
                             p_metadata => '{"file": "alien.jpg"}');

-- example: put_embeddings
select evervec.put_embeddings('film_poster', array['{"id": 2}', '{"id": 3}']::jsonb[],
                              array[array_fill(0.2::real, '{1536}')::vector, array_fill(0.3::real, '{1536}')::vector]);

-- example: get_embedding
select model, metadata, updated_at from evervec.get_embedding('film_poster', '{"id": 1}');

-- example: get_embeddings
select row_key, model, vector_dims(embedding) from evervec.get_embeddings('film_poster', array['{"id": 2}', '{"id": 1}']::jsonb[]);

-- example: delete_embedding
select evervec.delete_embedding('film_poster', '{"id": 1}');

-- example: delete_embeddings
select evervec.delete_embeddings('film_poster', array['{"id": 2}', '{"id": 3}']::jsonb[]);

-- example: untrack
select evervec.untrack('film_in_words', p_drop_vectors => true);

-- example: current_user_id
-- In a web request: the user who is logged in, until the end of the transaction.
begin;
set local evervec.user_id = 'ada';
select evervec.current_user_id();
commit;

-- example: add_interaction_type
-- Half as much as a favorite.
select evervec.add_interaction_type('share', 0.5);

-- example: record_interaction
-- Recorded once, however often it is sent: the key is the application's.
select evervec.record_interaction('ada', 'film', '{"id": 1}', 'rating', 4.5, p_key => 'rating 17');

-- example: record_interactions
select evervec.record_interactions('[
    {"user": "ada", "source": "film", "row_key": {"id": 2}, "type": "view"},
    {"user": "ada", "source": "film", "row_key": {"id": 5}, "type": "dismiss"},
    {"user": "bob", "source": "film", "row_key": {"id": 4}, "type": "favorite"}
]');

-- example: clear_mark
select evervec.clear_mark('ada', 'film', '{"id": 5}');

-- example: move_interactions
-- A film has another key now: what people did with it goes along.
select evervec.move_interactions('film', '{"id": 4}', '{"id": 40}');

-- example: add_signal
-- What people have, by a table of the application's: a change there counts at once.
create table shelf (
    member  text,
    film_id integer references film,
    stars   numeric,
    primary key (member, film_id)
);
insert into shelf values ('ada', 3, 5);
select evervec.add_signal('film', 'shelf', 'select member as user_id, film_id as id, stars as rating from public.shelf');

-- example: drop_signal
select evervec.drop_signal('film', 'shelf');

-- example: add_preference
-- A kind of preference with up to three tastes, from what people have and rate, and not from what they look at.
select evervec.add_preference('film', 'shelf', 'collection', p_types => '{favorite,rating}', p_tastes => 3);

-- example: update_user_embedding
select evervec.update_user_embedding('ada', 'film');

-- example: update_user_embeddings
-- Workers do this every 15 minutes.
select evervec.update_user_embeddings();

-- example: update_trends
-- What people do much with lately; workers count it every 5 minutes.
select evervec.update_trends();

-- example: recommend
-- Near what ada likes, without what she has or dismissed; of whom nothing is known gets what is trending.
select row_key, score, type, because from evervec.recommend('ada', 'film', 3);
select row_key, type from evervec.recommend('carl', 'film', p_type => 'trending');
-- A filter of the source is a type too: what ada likes among its rows.
select evervec.add_filter('film', 'nineties', 'film.year between 1990 and 1999');
select row_key, type from evervec.recommend('ada', 'film', p_type => 'nineties');

-- example: cache_put
-- What was dear to find out is kept for a day, or until ada does something with films.
select evervec.cache_put('ada', 'film taste', '{"likes": "dark futures"}', 0.8, 'film');

-- example: cache_get
select evervec.cache_get('ada', 'film taste');

-- example: cache_forget
select evervec.cache_forget('ada');

-- example: track_users
-- Who closes their account is forgotten.
create table member (name text primary key);
insert into member values ('ada'), ('bob');
select evervec.track_users('member', 'name');
delete from member where name = 'bob';

-- example: untrack_users
select evervec.untrack_users('member');

-- example: forget_user
select * from evervec.forget_user('ada') where rows > 0;
