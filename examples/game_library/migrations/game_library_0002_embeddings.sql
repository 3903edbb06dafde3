-- What the application asks of evervec: all of it, and nothing else anywhere.
-- depends: game_library_0001_tables
--
-- The model is the offline one, unless the session that migrates says otherwise:
--   PGOPTIONS='-c game_library.model=text-embedding-3-small' yoyo apply …

select evervec.add_model('text-embedding-3-small', 'openai', 1536, p_price_per_million_tokens => 0.02);

select evervec.track(
    'public.games',
    p_text_sql => $$
        'Title: ' || games.title || E'\nGenres: ' || coalesce((
            select string_agg(g.name, ', ' order by g.name)
              from public.game_genres gg
              join public.genres g on g.id = gg.genre_id
             where gg.game_id = games.id), 'Unknown')
        || E'\nDescription: ' || coalesce(nullif(btrim(games.description), ''), 'No description available') $$,
    p_depends_on => '{
        "public.game_genres": "game_id",
        "public.genres": {"columns": ["id"], "watch": ["name"],
                          "keys": "select gg.game_id from public.game_genres gg join changed c on c.id = gg.genre_id"}}',
    p_model => coalesce(nullif(current_setting('game_library.model', true), ''), 'local'),
    p_distance => 'cosine', p_index => 'hnsw', p_foreign_key => true);

select evervec.track(
    'public.collections',
    p_text_sql => $$
        'Title: ' || collections.title || E'\nGames: ' || coalesce((
            select string_agg(g.title, ', ' order by g.title)
              from public.collection_games cg
              join public.games g on g.id = cg.game_id
             where cg.collection_id = collections.id), 'None')
        || E'\nDescription: ' || coalesce(nullif(btrim(collections.description), ''), 'No description available') $$,
    p_depends_on => '{
        "public.collection_games": "collection_id",
        "public.games": {"columns": ["id"], "watch": ["title"],
                         "keys": "select cg.collection_id from public.collection_games cg join changed c on c.id = cg.game_id"}}',
    p_model => coalesce(nullif(current_setting('game_library.model', true), ''), 'local'),
    p_distance => 'cosine', p_index => 'hnsw', p_foreign_key => true);

select evervec.track(
    'public.achievements',
    p_text_sql => $$
        'Title: ' || achievements.title || E'\nGame: ' || (select g.title from public.games g where g.id = achievements.game_id)
        || E'\nDescription: ' || coalesce(nullif(btrim(achievements.description), ''), 'No description available') $$,
    p_depends_on => '{
        "public.games": {"columns": ["id"], "watch": ["title"],
                         "keys": "select a.id from public.achievements a join changed c on c.id = a.game_id"}}',
    p_model => coalesce(nullif(current_setting('game_library.model', true), ''), 'local'),
    p_distance => 'cosine', p_index => 'hnsw', p_foreign_key => true);

-- What is a user's: the scope of searches, and of jobs.
select evervec.add_filter('games', 'library',
    'exists (select from public.user_games u where u.game_id = games.id and u.user_name = p_user)', '{p_user text}');
select evervec.add_filter('collections', 'library', 'collections.owner = p_user', '{p_user text}');
select evervec.add_filter('achievements', 'library',
    'exists (select from public.user_games u where u.game_id = achievements.game_id and u.user_name = p_user)', '{p_user text}');

-- What users like, by what they play and how they rate: a type of preference each, beside `default`, which is of both.
select evervec.add_signal('games', 'played',
    'select user_name as user_id, game_id as id, hours as amount, added_at as at from public.user_games');
select evervec.add_signal('games', 'rated',
    'select user_name as user_id, game_id as id, rating, added_at as at from public.user_games where rating is not null');
select evervec.add_preference('games', 'playing', p_signals => '{played}', p_types => '{}');
select evervec.add_preference('games', 'rating', p_signals => '{rated}', p_types => '{}');
select evervec.track_users('public.users', 'name');
