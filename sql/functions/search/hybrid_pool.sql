-- hybrid_pool: how many rows each leg of a hybrid search brings, once its arguments are known to be good.
--
-- Locks:  none.
-- Raises: VE202 no list of keys · VE204 bad limit · VE218 no words · VE220 bad weight or k
create or replace function evervec.hybrid_pool(
    p_text          text,
    p_limit         integer,
    p_vector_weight double precision,
    p_text_weight   double precision,
    p_k             integer,
    p_exclude       jsonb[]
)
returns integer
language plpgsql stable
set search_path from current
as $$
begin
    perform evervec.check_words(p_text);
    if p_limit is null or p_limit < 0 then
        raise exception using
            errcode = 'VE204', message = format('a limit of %s makes no sense', coalesce(p_limit::text, 'NULL')),
            detail  = 'p_limit is the number of rows that a search returns at most.',
            hint    = 'Give a limit of 0 or more.';
    -- NaN is greater than infinity.
    elsif (p_vector_weight >= 0 and p_text_weight >= 0 and greatest(p_vector_weight, p_text_weight) between 1e-30 and 1e30 and p_k >= 1)
          is not true then
        raise exception using
            errcode = 'VE220', message = 'weights and k of a hybrid search are out of range',
            detail  = format('p_vector_weight is %s, p_text_weight %s, p_k %s.', coalesce(p_vector_weight::text, 'NULL'),
                             coalesce(p_text_weight::text, 'NULL'), coalesce(p_k::text, 'NULL')),
            hint    = 'Give weights of 0 (without that leg) or more, not both 0, and a k of 1 or more; or leave them out: 1, 1 and 60.';
    elsif p_exclude is null then
        raise exception using
            errcode = 'VE202', message = 'NULL is no list of keys',
            detail  = 'p_exclude lists the row_keys to leave out.',
            hint    = 'Leave it out to leave out none.';
    end if;
    return least(greatest(100, 2 * p_limit::bigint) + cardinality(p_exclude), 1000000);
end
$$;

comment on function evervec.hybrid_pool(text, integer, double precision, double precision, integer, jsonb[]) is
$$Internal. The number of rows for each leg of a hybrid search; raises VE202, VE204, VE218 or VE220 when its arguments are not good.$$;

revoke execute on function evervec.hybrid_pool(text, integer, double precision, double precision, integer, jsonb[]) from public;
