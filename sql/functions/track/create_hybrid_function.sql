-- create_hybrid_function: hybrid_search_<source>, or that of a filter: what two searches find, by meaning and by words, in one order.
--
-- Weighted reciprocal rank: a row gets weight / (k + rank) from each leg that found it. Ranks, not scores, because a distance and a measure of
-- words have no common scale. Each leg brings twice what is wanted, a hundred at least. The leg of the vectors is the source's
-- search function, index, exact search, filter and all; the leg of the words uses their GIN index. A filter stands in both.
--
-- Words that only say what a text is not to contain (and stop words alone) cannot be looked up: then the vectors decide alone. Of words
-- without an end the first 10,000 characters count, as a tsquery is limited too.
--
-- BM25 puts the same rows into another order. The planner chooses how: the index of the words finds them, and the text of each is scored; or the
-- index of pg_textsearch gives texts in order, and each is asked for the words. That one may end before all are found (see bm25_ranking):
-- then, and only then, they are found the first way. Equal scores are in no order at the pool's limit: all of them would have to be scored.
--
-- Runs as the caller. Columns stand behind aliases, variables alone, parameters are $1, $2, …, as in search_body.
-- Locks:  none.
create or replace function evervec.create_hybrid_function(p_source evervec.source, p_filter evervec.filter default null)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_name   text := concat_ws('_', 'hybrid_search', p_source.name, p_filter.name);
    -- The number of p_query; the others follow.
    v_query  integer := 2 + cardinality(coalesce(p_filter.parameter_names, '{}'));
    v_owner  regrole := (select c.relowner from pg_class c where c.oid = p_source.relation);
    v_values text;
    v_keys   text := evervec.key_list(p_source, 'e', true);
    v_found  text;
    v_search text;
    -- The words' leg by ts_rank_cd, and by BM25.
    v_plain  text;
    v_bm25   text;
begin
    select string_agg(format('$%s', 1 + p.ordinality), ', ' order by p.ordinality) into v_values
      from unnest(p_filter.parameter_names) with ordinality as p (name, ordinality);
    v_found := format('from %s e %s where e.document @@ v_words', evervec.qualified_name(p_source.target),
                      case when p_filter.name is not null then
                          format('join evervec.%I(%s) f on %s', format('filter_%s_%s', p_source.name, p_filter.name), v_values,
                                 (select string_agg(format('f.key_%s %s e.%I', k.ordinality, k.operator, k.name), ' and ' order by k.ordinality)
                                    from unnest(p_source.target_key_columns, p_source.key_operators)
                                         with ordinality as k (name, operator, ordinality))) end);
    v_search := format(
        $sql$
            return query
            with vector_leg as materialized (
                select n.row_key, n.similarity, row_number() over (order by n.distance, n.row_key) as place
                  from (select %1$s as row_key, n.similarity, n.distance from evervec.%2$I(%3$s) n where v_query is not null) n
                 where (n.row_key = any ($%9$s)) is not true
            ), text_leg as materialized (
                select t.row_key, t.score, row_number() over (order by t.score desc, t.row_key) as place
                  from (
                    select %4$s as row_key, w."evervec score" as score
                      from (
                        @ranked@
                      ) w
                  ) t
                 where (t.row_key = any ($%9$s)) is not true
            )
            select x.row_key, x.score, x.vector_place::integer, x.similarity, x.text_place::integer, x.text_score
              from (
                select coalesce(v.row_key, t.row_key) as row_key,
                       coalesce($%6$s / ($%8$s + v.place), 0) + coalesce($%7$s / ($%8$s + t.place), 0) as score,
                       v.place as vector_place, v.similarity, t.place as text_place, t.score as text_score
                  from vector_leg v
                  full join text_leg t on t.row_key = v.row_key
              ) x
             order by x.score desc, x.row_key
             limit $%5$s;
        $sql$,
        case when p_filter.name is null then 'n.row_key'
             else format('evervec.%I(%s)', 'key_' || p_source.name,
                         (select string_agg(format('n.%I', evervec.result_name(k.name, p_filter)), ', ' order by k.ordinality)
                            from unnest(p_source.key_columns) with ordinality as k (name, ordinality))) end,
        case when p_filter.name is null then 'similar_' || p_source.name
             else format('find_similar_%s_%s', p_source.name, p_filter.name) end,
        concat_ws(', ', 'v_query', v_values, 'v_most'), evervec.key_call(p_source, 'w', true),
        v_query + 1, v_query + 2, v_query + 3, v_query + 4, v_query + 5);
    v_plain := format('select %1$s, ts_rank_cd(e.document, v_words, 1) as "evervec score" %2$s order by "evervec score" desc, %1$s limit v_most',
                      v_keys, v_found);
    if p_source.bm25 and evervec.bm25_schema() is not null then
        v_bm25 := format(
            $sql$
                        with best as materialized (
                            select %1$s, e.document_text operator(%2$I.<@>) %2$I.to_bm25query(v_bm25.words, v_bm25.index) as "evervec score"
                              %3$s and e.document_text is not null
                             order by "evervec score"
                             limit v_most
                        ), short as materialized (
                            select v_bm25.may_end and count(*) < v_most as yes from best
                        )
                        select %1$s, (-e."evervec score")::real as "evervec score" from best e where not (select s.yes from short s)
                        union all (
                        select %1$s, (-(e.document_text operator(%2$I.<@>) %2$I.to_bm25query(v_bm25.words, v_bm25.index)))::real as "evervec score"
                          %3$s and e.document_text is not null and (select s.yes from short s)
                         order by "evervec score" desc, %1$s
                         limit v_most)
            $sql$,
            v_keys, evervec.bm25_schema(), v_found);
    end if;
    execute format(
        $sql$
        create or replace function evervec.%1$I(p_text text, %2$s p_query vector default null, p_limit integer default 10,
                                                p_vector_weight double precision default 1, p_text_weight double precision default 1, p_k integer default 60,
                                                p_exclude jsonb[] default '{}')
        returns table (row_key jsonb, score double precision, vector_rank integer, similarity real, text_rank integer, text_score real)
        language plpgsql stable
        set search_path from current set plan_cache_mode = force_custom_plan set jit = off
        as $body$
        #variable_conflict use_variable
        declare
            v_most    integer := evervec.hybrid_pool($1, $%4$s, $%5$s, $%6$s, $%7$s, $%8$s);
            v_query   vector := case when $%5$s > 0 then coalesce($%3$s, evervec.query_of(%9$L, $1)) end;
            v_words   tsquery := case when $%6$s > 0 then evervec.words_of(%10$L, $1) end;
            %12$s
        begin
            %11$s
        end
        $body$
        $sql$,
        v_name,
        (select string_agg(format('%I %s,', p.name, p.type), ' ' order by p.ordinality)
           from unnest(p_filter.parameter_names, p_filter.parameter_types) with ordinality as p (name, type, ordinality)),
        v_query, v_query + 1, v_query + 2, v_query + 3, v_query + 4, v_query + 5,
        p_source.name, p_source.text_search,
        case when v_bm25 is null then replace(v_search, '@ranked@', v_plain)
             else format('v_bm25 := evervec.bm25_ranking(%L, %L, case when v_words is not null then $1 end); if v_bm25.index is null then %s else %s end if;',
                         evervec.qualified_name(p_source.target), evervec.bm25_schema(), replace(v_search, '@ranked@', v_plain),
                         replace(v_search, '@ranked@', v_bm25)) end,
        case when v_bm25 is not null then 'v_bm25 record;' end);
    execute format('revoke execute on function evervec.%I from public', v_name);
    execute format('grant execute on function evervec.%I to %s', v_name, v_owner);
    execute format('comment on function evervec.%I is %L', v_name,
                   format('Rows of %s that meaning and words find together, those %sfirst that both find high. See evervec.hybrid_search.',
                          p_source.relation, case when p_filter.name is not null then format('that meet the filter %s, ', p_filter.name) end));
end
$$;

comment on function evervec.create_hybrid_function(evervec.source, evervec.filter) is
$$Internal. Creates or replaces hybrid_search_<source>, or hybrid_search_<source>_<filter>.$$;

revoke execute on function evervec.create_hybrid_function(evervec.source, evervec.filter) from public;
