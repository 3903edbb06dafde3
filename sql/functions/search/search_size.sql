-- search_size: how many rows the nearest-n step of a search fetches, once its arguments are known to be good.
--
-- With diversity there must be something to choose from: four times what is wanted, but no more than 1,000 beyond it.
-- Locks:  none.
-- Raises: VE201 bad query vector · VE204 bad limit, threshold or diversity
create or replace function evervec.search_size(
    p_query          vector,
    p_dimensions     integer,
    p_distance       text,
    p_limit          integer,
    p_min_similarity real,
    p_diversity      real
)
returns bigint
language plpgsql stable
set search_path from current
as $$
begin
    perform evervec.query_limit(p_query, p_dimensions, p_limit);
    if p_distance = 'cosine' and vector_norm(p_query) = 0 then
        raise exception using
            errcode = 'VE201', message = 'the query vector is zero, which has no direction and so no cosine distance',
            detail  = 'The source compares vectors by cosine.',
            hint    = 'Embed the query with the model of the source.';
    elsif p_min_similarity = 'NaN' then
        raise exception using
            errcode = 'VE204', message = 'a minimum similarity of NaN makes no sense',
            detail  = 'p_min_similarity is compared with the similarity of every row.',
            hint    = 'Give a number, or NULL for no threshold.';
    elsif not p_diversity between 0 and 1 then
        raise exception using
            errcode = 'VE204', message = format('a diversity of %s makes no sense', p_diversity),
            detail  = 'p_diversity is the weight of being unlike the rows before, from 0 to 1.',
            hint    = 'Give a number from 0 to 1, or NULL for the nearest rows as they are.';
    end if;
    return case when p_diversity is null then p_limit else least(p_limit * 4::bigint, p_limit + 1000::bigint) end;
end
$$;

comment on function evervec.search_size(vector, integer, text, integer, real, real) is
$$Internal. The number of rows to fetch for a search; raises VE201 or VE204 when its arguments are not good.$$;

revoke execute on function evervec.search_size(vector, integer, text, integer, real, real) from public;
