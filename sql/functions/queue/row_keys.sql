-- row_keys: keys of rows to be queued, slice by slice: of a source, or of what a filter leaves of it.
--
-- Runs as the caller: it reads the table of the source, and what the filter reads.
--
-- Locks:  ACCESS SHARE on the table and its embedding table.
-- Raises: VE101 unknown source · VE111 a manual source, or arguments that the filter does not take · VE202 bad row_key · VE204 bad limit ·
--         VE208 unknown filter
create or replace function evervec.row_keys(
    p_source    text,
    p_missing   boolean default true,
    p_filter    text default null,
    p_arguments jsonb default '{}',
    p_after     jsonb default null,
    p_limit     integer default 100
)
returns setof jsonb
language plpgsql stable
set search_path from current
as $$
declare
    v_search record;
begin
    select * into v_search from evervec.keys_query(p_source, p_missing, p_filter, p_arguments, p_after);
    if coalesce(p_limit < 1, true) then
        raise exception using
            errcode = 'VE204', message = 'row_keys needs a limit of 1 or more',
            detail  = format('p_limit is %s.', coalesce(p_limit::text, 'NULL')),
            hint    = 'For example: SELECT * FROM evervec.row_keys(''film'', p_limit => 100);';
    end if;
    return query execute v_search.query using p_arguments, v_search.after, p_limit;
end
$$;

comment on function evervec.row_keys(text, boolean, text, jsonb, jsonb, integer) is
$$Keys of rows, in their order, to be given to enqueue. p_missing: only of rows without a vector of the source's model (default); one whose text is empty is among them, an archived one is not. p_filter: among the rows that this filter (see add_filter) leaves, such as one user's; p_arguments: a JSON object with a member for each of its parameters. p_after: the key behind which to begin; NULL: at the first row. p_limit: how many at most, default 100; where there are as many, give the last as p_after next. Runs with the caller's privileges: SELECT on the table is yours to grant. Raises VE101, VE111, VE202, VE204, VE208.$$;

revoke execute on function evervec.row_keys(text, boolean, text, jsonb, jsonb, integer) from public;
