-- hybrid_search: the rows of a source that meaning and words find together, for any source by its name.
--
-- Runs as the caller, by the function that was generated for the source.
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE201 bad query vector · VE202 no list of keys · VE204 bad limit · VE207 the vector of the words is not known · VE211 (a WARNING)
--         rows may be missing · VE218 no words · VE219 the source keeps no words · VE220 bad weight or k · VE424 the webhook gives no vector
create or replace function evervec.hybrid_search(
    p_source        text,
    p_text          text,
    p_query         vector default null,
    p_limit         integer default 10,
    p_vector_weight double precision default 1,
    p_text_weight   double precision default 1,
    p_k             integer default 60,
    p_exclude       jsonb[] default '{}'
)
returns table (row_key jsonb, score double precision, vector_rank integer, similarity real, text_rank integer, text_score real)
language plpgsql stable
set search_path from current
as $$
begin
    perform evervec.hybrid_pool(p_text, p_limit, p_vector_weight, p_text_weight, p_k, p_exclude);
    if p_source is null or to_regproc(format('evervec.%I', 'hybrid_search_' || p_source)) is null then
        perform evervec.get_source(p_source);
        raise exception using
            errcode = 'VE219', message = format('source "%s" keeps no words beside its vectors', p_source),
            detail  = 'It was tracked without p_text_search, so that texts can be searched by their meaning only.',
            hint    = format('SELECT evervec.retrack(%L, p_text_search => ''english''); workers then write the words, without asking the model.', p_source);
    end if;
    return query execute format('select * from evervec.%I($1, $2, $3, $4, $5, $6, $7)', 'hybrid_search_' || p_source)
    using p_text, p_query, p_limit, p_vector_weight, p_text_weight, p_k, p_exclude;
end
$$;

comment on function evervec.hybrid_search(text, text, vector, integer, double precision, double precision, integer, jsonb[]) is
$$Rows of a source that are near in meaning to p_text, that contain its words, or both, by weighted reciprocal rank: score is the sum of weight / (p_k + rank) over the two searches that found the row. The source must be tracked with p_text_search. p_text: the words as for a search engine: all must occur; "…" is a phrase, or and -word work. p_query: their vector (default: the cached one, see search). p_limit: default 10. p_vector_weight, p_text_weight: 1 and 1; 0 leaves that search out, and then needs no vector. p_k: default 60; the greater, the less the first ranks count. p_exclude: row_keys to leave out. vector_rank, similarity and text_rank, text_score (BM25 or ts_rank_cd, see get_source) are NULL where that search did not find the row among its first, twice p_limit and a hundred at least. Words that are all stop words or all excluded leave the order to the vectors. Runs with the caller's privileges. Raises VE101, VE201, VE202, VE204, VE207, VE218, VE219, VE220, VE424; warns with VE211 as find_similar.$$;

revoke execute on function evervec.hybrid_search(text, text, vector, integer, double precision, double precision, integer, jsonb[]) from public;
