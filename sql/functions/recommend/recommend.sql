-- recommend: rows of a source for a user, who neither has nor dismissed them.
--
-- Runs as the caller, so that privileges and policies on the rows hold, of what was recommended before too; what only evervec may read comes
-- from recommendation_plan. First a pool of rows is found, by the type; then it is compared with the user's tastes and ordered, and cut.
--
-- Locks:  ACCESS SHARE on the embedding table; those of refresh_preference.
-- Raises: VE101 unknown source · VE111, VE208 the filter · VE204 bad limit or diversity · VE501, VE502 the user · VE509 unknown preference ·
--         VE513 unknown type · VE514 bad weight of popularity · VE211 (a WARNING) rows may be missing
-- needs: functions/recommend/keep_recommendation.sql
-- needs: functions/recommend/liked_nearby.sql
-- needs: functions/recommend/recommendation_plan.sql
create or replace function evervec.recommend(
    p_user       text,
    p_source     text,
    p_limit      integer default 10,
    p_type       text default 'personalized',
    p_preference text default 'default',
    p_filter     text default null,
    p_arguments  jsonb default '{}',
    p_diversity  real default null,
    p_popularity real default null
)
returns table (row_key jsonb, score real, similarity real, type text, because jsonb, confidence real)
language plpgsql volatile
set search_path from current
as $$
declare
    -- Of a collation of the caller's, a text would not be looked up in an index.
    v_user       text collate "default" := p_user;
    v_source     text collate "default" := p_source;
    v_type       text collate "default" := p_type;
    v_preference text collate "default" := p_preference;
    v_filter     text collate "default" := p_filter;
    v_plan       record;
    v_count      bigint;
    v_seen       pg_snapshot;
    v_pool       integer;
    v_skipped    integer;
    v_keys       jsonb[] := array[]::jsonb[];
    v_scores     real[];
    v_similarity real[];
    v_popularity real[];
    v_because    jsonb[];
    v_vectors    vector[];
    v_liked      vector[];
    v_more       jsonb[];
    v_place      integer[];
begin
    select * into v_plan
      from evervec.recommendation_plan(v_user, v_source, p_limit, v_type, v_preference, v_filter, p_arguments, p_diversity, p_popularity,
                                       current_user::regrole, true);
    if v_plan.row_keys is not null then
        execute v_plan.presence into v_count using v_plan.row_keys;
        if v_count = cardinality(v_plan.row_keys) then
            return query
            select k.row_key, k.score, k.similarity, v_plan.type, k.because, v_plan.confidence
              from unnest(v_plan.row_keys, v_plan.scores, v_plan.similarities, v_plan.because) as k (row_key, score, similarity, because);
            return;
        end if;
        select * into v_plan
          from evervec.recommendation_plan(v_user, v_source, p_limit, v_type, v_preference, v_filter, p_arguments, p_diversity, p_popularity,
                                           current_user::regrole, false);
    end if;
    v_seen := pg_current_snapshot();

    -- Where there is a choice to make, the pool is four times what is wanted, but no more than 1,000 beyond it.
    v_pool := case when v_plan.diversity is null and v_plan.popularity = 0 then p_limit else least(4 * p_limit, p_limit + 1000) end;
    if v_plan.type = 'similar_users' then
        if not v_plan.open then
            execute format('select array_agg(n.row_key) from (%s) n', v_plan.nearest)
               into v_more using p_arguments, v_plan.embeddings[1], 500, null::real, v_plan.taken, null::real;
        end if;
        select array_agg(l.row_key order by l.ordinality), array_agg(l.score::real order by l.ordinality)
          into v_keys, v_scores
          from evervec.liked_nearby(v_user, v_source, v_preference, v_plan.taken, 10 * v_pool, v_more) with ordinality as l;
        execute v_plan.visible into v_keys, v_scores using p_arguments, v_keys, v_scores, v_pool;
    else
        if v_plan.type = 'trending' or v_plan.popularity > 0 then
            execute v_plan.popular into v_keys using p_arguments, v_plan.taken, v_pool;
        end if;
        if v_plan.type <> 'trending' then
            for v_taste in 1 .. cardinality(v_plan.embeddings) loop
                execute format('select array_agg(n.row_key) from (%s) n where n.row_key <> all ($7)', v_plan.nearest)
                   into v_more
                  using p_arguments, v_plan.embeddings[v_taste], v_pool + case v_plan.type when 'adventurous' then p_limit else 0 end, null::real,
                        v_plan.taken, null::real, v_keys;
                v_keys := v_keys || v_more;
            end loop;
        end if;
        if v_plan.type = 'trending' or v_plan.popularity > 0 then
            v_popularity := array(
                select coalesce(ln(1 + t.score) / ln(1 + (select max(m.score) from evervec.trend m where m.source_id = v_plan.source_id)), 0)
                  from unnest(v_keys) with ordinality as k (row_key, ordinality)
                  left join evervec.trend t on t.source_id = v_plan.source_id and t.row_key = k.row_key
                 order by k.ordinality);
        end if;
    end if;

    -- Each row belongs to the taste that it is nearest to. Tastes take turns as often as they are a part of the user's; first each has one.
    execute v_plan.vectors into v_vectors using v_keys || v_plan.liked;
    v_liked := v_vectors[cardinality(v_keys) + 1 :];
    select coalesce(array_agg(o.row_key order by o.place), '{}'), array_agg(o.score order by o.place), array_agg(o.similarity order by o.place),
           array_agg(o.embedding order by o.place)
      into v_keys, v_scores, v_similarity, v_vectors
      from (
        select r.*, row_number() over (order by r.rank > 1, case when r.rank > 1 then (r.rank - 0.5) / r.share else -r.share end, r.row_key) as place
          from (
            select c.*, row_number() over (partition by c.taste order by c.score desc, c.row_key) as rank
              from (
                select k.row_key, k.embedding, n.similarity::real as similarity,
                       case when v_plan.type in ('trending', 'similar_users') then 1 else n.taste end as taste,
                       case when v_plan.type in ('trending', 'similar_users') then 1 else n.share end as share,
                       case v_plan.type when 'trending' then k.popularity
                                        when 'similar_users' then k.score
                                        else n.similarity + v_plan.popularity * coalesce(k.popularity, 0) end::real as score
                  from unnest(v_keys, v_vectors[: cardinality(v_keys)], v_scores, v_popularity) as k (row_key, embedding, score, popularity)
                  left join lateral (
                    select t.taste, t.share,
                           case v_plan.distance when 'cosine' then 1 - (t.embedding <=> k.embedding)
                                                when 'inner_product' then -(t.embedding <#> k.embedding)
                                                when 'l2' then 1 / (1 + (t.embedding <-> k.embedding))
                                                when 'l1' then 1 / (1 + (t.embedding <+> k.embedding)) end as similarity
                      from unnest(v_plan.embeddings, v_plan.shares) with ordinality as t (embedding, share, taste)
                     order by 3 desc, 1
                     limit 1) n on true
                 where k.embedding is not null) c) r) o;
    -- Adventure begins behind what would be recommended otherwise.
    v_skipped := case v_plan.type when 'adventurous' then greatest(least(p_limit, cardinality(v_keys) - p_limit), 0) else 0 end;
    v_place := case when v_plan.diversity is null then array(select g from generate_series(1, least(p_limit, cardinality(v_keys))) g)
                    else array(select v_skipped + d
                                 from unnest(evervec.diversify(v_vectors[v_skipped + 1 :], v_scores[v_skipped + 1 :], v_plan.distance, p_limit,
                                                               v_plan.diversity)) d) end;
    select coalesce(array_agg(k.row_key order by p.ordinality), '{}'), coalesce(array_agg(k.score order by p.ordinality), '{}'),
           coalesce(array_agg(k.similarity order by p.ordinality), '{}'), coalesce(array_agg(b.row_key order by p.ordinality), '{}')
      into v_keys, v_scores, v_similarity, v_because
      from unnest(v_place) with ordinality as p (place, ordinality)
      join unnest(v_keys, v_scores, v_similarity, v_vectors) with ordinality as k (row_key, score, similarity, embedding, place) using (place)
      left join lateral (
        select l.row_key
          from unnest(v_plan.liked, v_liked) as l (row_key, embedding)
         where l.embedding is not null and l.row_key <> k.row_key
         order by case v_plan.distance when 'cosine' then l.embedding <=> k.embedding
                                       when 'inner_product' then l.embedding <#> k.embedding
                                       when 'l2' then l.embedding <-> k.embedding
                                       when 'l1' then l.embedding <+> k.embedding end, l.row_key
         limit 1) b on true;
    perform evervec.keep_recommendation(v_user, v_plan.source_id, v_plan.context_hash, v_seen, v_keys, v_scores, v_similarity, v_because);
    return query
    select k.row_key, k.score, k.similarity, v_plan.type, k.because, v_plan.confidence
      from unnest(v_keys, v_scores, v_similarity, v_because) as k (row_key, score, similarity, because);
end
$$;

comment on function evervec.recommend(text, text, integer, text, text, text, jsonb, real, real) is
$$Rows of a source for a user, best first, without those that the user has (signals, interactions of a type that marks) or dismissed. p_limit: default 10, at most 1,000. p_type: personalized (default), near what the user likes; trending, what people do much with lately; similar_users, what those like whose preferences are nearest; adventurous, unlike each other and beyond what personalized gives; or the name of a filter of the source: what the user likes among its rows. p_preference: a kind of preference (add_preference). p_filter, p_arguments: only rows that a filter leaves, as find_similar_among. p_diversity: from 0 to 1, how much rows should be unlike each other (default: not at all; adventurous: 0.5). p_popularity: what the most popular row gains beside its similarity (default: setting recommendation_popularity). score: what rows are ordered by (of several tastes, each in its turn); similarity: to what the user likes, NULL where nothing is known of it; type: how the row was found: trending where nothing is known of the user; because: of the twenty rows that the user likes most (of each taste), the one that is nearest to it, if any; confidence: from 0 to 1, how much is known of the user. What was recommended is kept for an hour (setting recommendation_keep) while nothing has changed that it was made from; not under row-level security, for similar_users, in transactions that are read-only, REPEATABLE READ or SERIALIZABLE. Runs with the caller's privileges. Raises VE101, VE111, VE204, VE208, VE501, VE502, VE509, VE513, VE514; warns with VE211.$$;

revoke execute on function evervec.recommend(text, text, integer, text, text, text, jsonb, real, real) from public;
