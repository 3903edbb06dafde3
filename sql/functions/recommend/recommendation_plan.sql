-- recommendation_plan: all that recommend needs and its caller may not read: what was recommended before, where that still holds, or else
-- the user's preference, what the user has, and the queries that are to be run as the caller.
--
-- Locks:  those of refresh_preference.
-- Raises: VE101 unknown source · VE111, VE208 the filter · VE204 bad limit or diversity · VE501, VE502 the user · VE509 unknown preference ·
--         VE513 unknown type · VE514 bad weight of popularity
-- needs: functions/cache/caller_context.sql
-- needs: functions/people/check_user.sql
-- needs: functions/preference/check_preference.sql
-- needs: functions/recommend/presence_query.sql
-- needs: functions/recommend/refresh_preference.sql
-- needs: functions/recommend/user_state.sql
create or replace function evervec.recommendation_plan(
    p_user           text,
    p_source         text,
    p_limit          integer,
    p_type           text,
    p_preference     text,
    p_filter         text,
    p_arguments      jsonb,
    p_diversity      real,
    p_popularity     real,
    p_caller         regrole,
    p_kept           boolean,
    out type         text,
    out context_hash bytea,
    out row_keys     jsonb[],
    out scores       real[],
    out similarities real[],
    out because      jsonb[],
    out confidence   real,
    out source_id    integer,
    out open         boolean,
    out distance     text,
    out embeddings   vector[],
    out shares       real[],
    out liked        jsonb[],
    out taken        jsonb[],
    out diversity    real,
    out popularity   real,
    out presence     text,
    out nearest      text,
    out popular      text,
    out visible      text,
    out vectors      text
)
language plpgsql volatile security definer
set search_path from current
as $$
declare
    c_types   constant text[] := array['personalized', 'trending', 'similar_users', 'adventurous'];
    v_source  evervec.source;
    v_filter  text := p_filter;
    v_context jsonb;
    v_state   record;
    v_known   record;
    v_updated timestamptz;
    v_fresh   boolean;
    v_match   text;
begin
    perform evervec.check_user(p_user);
    v_source := evervec.source_named(p_source);
    source_id := v_source.source_id;
    distance := v_source.distance;
    type := coalesce(p_type, 'personalized');
    diversity := coalesce(p_diversity, case when type = 'adventurous' then 0.5 end);
    popularity := coalesce(p_popularity, evervec.setting_number('recommendation_popularity', 0)::real);
    if type <> all (c_types) then
        if p_filter is not null
           or not exists (select from evervec.filter f where f.source_id = v_source.source_id and f.name = type) then
            raise exception using
                errcode = 'VE513',
                message = format('there are no recommendations of type "%s" for source "%s"', type, p_source),
                detail  = case when p_filter is not null then 'With p_filter, a type is one of evervec''s: ' else 'Types: ' end
                          || array_to_string(c_types || case when p_filter is null then array(
                                 select f.name from evervec.filter f where f.source_id = v_source.source_id order by f.name) end, ', ') || '.',
                hint    = 'A filter of the source (add_filter) is a type too: what a user likes among its rows.';
        end if;
        v_filter := type;
    end if;
    if p_limit is null or p_limit not between 0 and 1000 then
        raise exception using
            errcode = 'VE204', message = format('a limit of %s makes no sense', coalesce(p_limit::text, 'NULL')),
            detail  = 'p_limit is the number of rows that are recommended at most.',
            hint    = 'Give a limit from 0 to 1000.';
    elsif diversity between 0 and 1 is false then
        raise exception using
            errcode = 'VE204', message = format('a diversity of %s makes no sense', diversity),
            detail  = 'p_diversity is the weight of being unlike the rows before, from 0 to 1.',
            hint    = 'Give a number from 0 to 1, or NULL.';
    elsif popularity between 0 and 1000 is not true then
        raise exception using
            errcode = 'VE514', message = format('popularity cannot count %s', popularity),
            detail  = 'p_popularity is what the most popular row gains beside its similarity, from 0 to 1000.',
            hint    = 'Give a number of 0 or more, or NULL for the setting recommendation_popularity.';
    end if;
    perform evervec.check_preference(v_source, p_preference);

    -- What others do changes all the time: what is made from their preferences is not kept.
    if type <> 'similar_users' and evervec.setting_interval('recommendation_keep', '1 hour') > '0' then
        v_context := evervec.caller_context(v_source, pg_get_userbyid(p_caller));
    end if;
    v_state := evervec.user_state(p_user, p_source);
    for v_attempt in 1 .. 2 loop
        v_updated := null;
        v_fresh := false;
        embeddings := '{}';
        shares := '{}';
        liked := '{}';
        for v_known in
            select p.embedding, p.share, p.liked, p.confidence, p.inputs_hash, p.updated_at
              from evervec.user_preference p
             where p.source_id = v_source.source_id and p.preference_type = p_preference and p.user_id = p_user and p.model_id = v_source.model_id
             order by p.taste
        loop
            v_updated := greatest(v_updated, v_known.updated_at);
            v_fresh := v_known.inputs_hash is not distinct from v_state.inputs;
            if v_known.embedding is not null then
                embeddings := embeddings || v_known.embedding;
                shares := shares || v_known.share;
                -- To name the nearest of a few is as good, and each vector costs a look-up.
                liked := liked || v_known.liked[: 20];
                confidence := greatest(confidence, v_known.confidence);
            end if;
        end loop;
        exit when v_fresh or v_attempt = 2 or not evervec.refresh_preference(p_user, v_source, p_preference);
    end loop;
    if embeddings = '{}' then
        type := 'trending';
    end if;
    if type = 'trending' then
        confidence := 0.5;
    end if;

    if v_context is not null then
        context_hash := sha256(convert_to(jsonb_build_array(
            v_context, p_limit, p_type, p_preference, v_filter, p_arguments, diversity, popularity, v_state.state, v_updated,
            case when type = 'trending' or popularity > 0 then (select t.counted_at from evervec.trend_state t where t.source_id = v_source.source_id) end
            )::text, 'UTF8'));
        select r.row_keys, r.scores, r.similarities, r.because into row_keys, scores, similarities, because
          from evervec.recommendation_cache r
         where p_kept and r.user_id = p_user and r.context_hash = recommendation_plan.context_hash and r.expires_at > now()
           and not exists (
               select from evervec.source_change c
                where c.source_id = r.source_id
                  and c.xid >= pg_snapshot_xmin(r.seen)
                  and (not pg_visible_in_snapshot(c.xid, r.seen) or c.xid = r.kept_by))
         limit 1;
    end if;
    if row_keys is not null then
        presence := evervec.presence_query(source_id);
        return;
    end if;

    taken := array(
        select m.row_key from evervec.row_mark m where m.user_id = p_user and m.source_id = v_source.source_id
        union
        select s.row_key from evervec.user_signals(v_source, p_user) s);

    v_match := format('join %s e on %s', evervec.qualified_name(v_source.target), evervec.key_match(v_source, 'e', true));
    vectors := format('select array_agg(e.%I::vector order by k.ordinality) from unnest($1) with ordinality as k (row_key, ordinality) left %s',
                      v_source.vector_column, v_match);
    if v_filter is null then
        nearest := format('select f.row_key from evervec.%I($2, $3, null, $5) f', 'similar_' || p_source);
    else
        nearest := format('select f.row_key from (%s) as f (row_key, similarity, distance)', evervec.among_query(p_source, v_filter, p_arguments));
        v_match := v_match || format(
            ' join evervec.%I(%s) f on %s', format('filter_%s_%s', p_source, v_filter), evervec.filter_arguments(p_source, v_filter, p_arguments),
            (select string_agg(format('f.key_%s %s e.%I', k.ordinality, k.operator, k.name), ' and ' order by k.ordinality)
               from unnest(v_source.target_key_columns, v_source.key_operators) with ordinality as k (name, operator, ordinality)));
    end if;
    open := type <> 'similar_users' or source_id = any (evervec.open_sources());
    popular := format(
        'select coalesce(array_agg(p.row_key order by p.score desc, p.row_key), ''{}'') from (select k.row_key, k.score from evervec.trend k %s '
        'where k.source_id = %s and e.%I is not null and k.row_key not in (select x.row_key from unnest($2) as x (row_key)) '
        'order by k.score desc, k.row_key limit $3) p',
        v_match, v_source.source_id, v_source.vector_column);
    visible := format(
        'select coalesce(array_agg(p.row_key), ''{}''), array_agg(p.score) from (select k.row_key, k.score '
        'from unnest($2, $3) as k (row_key, score) %s where e.%I is not null order by k.score desc, k.row_key limit $4) p',
        v_match, v_source.vector_column);
end
$$;

comment on function evervec.recommendation_plan(text, text, integer, text, text, text, jsonb, real, real, regrole, boolean) is
$$Internal. What recommend works by. type: of what is recommended; context_hash: what it is kept under, NULL: not at all; row_keys, scores, similarities, because: what was recommended before, where it still holds (p_kept: look for it) for a caller who sees all of it (presence); embeddings, shares, liked, confidence: the user's preference; open: rows that others like may be told; taken: what is not recommended; nearest, popular, visible, vectors: texts of queries. Raises VE101, VE111, VE204, VE208, VE501, VE502, VE509, VE513, VE514.$$;

revoke execute on function evervec.recommendation_plan(text, text, integer, text, text, text, jsonb, real, real, regrole, boolean) from public;
