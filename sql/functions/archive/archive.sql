-- archive: drops the vectors of settled rows, a slice of them; they are still found by their words.
--
-- Locks:  the rows of the embedding table, SKIP LOCKED; in column storage those of the table itself: who writes one of these rows waits to the
--         end of the transaction.
-- Raises: VE101 unknown source · VE103 unknown column · VE104 p_where is no condition over the row · VE110 not permitted ·
--         VE213 row-level security applies to the caller · VE601 neither an age nor a condition, or a bad age, column or limit
create or replace function evervec.archive(
    p_source     text,
    p_older_than interval default null,
    p_where      text default null,
    p_column     text default null,
    p_limit      integer default 10000
)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    perform evervec.check_sees_all(v_source);
    perform evervec.check_slice(p_limit);
    if p_where is not null then
        perform evervec.check_owns(v_source, 'p_where');
    end if;
    if num_nonnulls(p_older_than, p_where, p_column) > 0 then
        v_source := evervec.with_retention(
            v_source, jsonb_strip_nulls(jsonb_build_object('older_than', p_older_than::text, 'column', p_column, 'where', p_where)));
    elsif v_source.retention is null then
        raise exception using
            errcode = 'VE601',
            message = format('which rows of "%s" are settled was not told', p_source),
            detail  = 'There is neither p_older_than nor p_where, and the source has no retention.',
            hint    = 'Give one of them, or p_where => ''true'' to archive every row.';
    end if;
    return evervec.drop_vectors(v_source, p_limit);
end
$$;

comment on function evervec.archive(text, interval, text, text, integer) is
$$Archives settled rows of a source: drops their vectors, up to p_limit (default 10,000), and returns how many those were; call it until 0. Searches by vectors do not find an archived row, those by words (p_text_search) do; coverage and reconcile know that nothing is missing. Once its text changes it is embedded again, and so is what restore names. p_older_than: rows older than that, by p_column, a date or timestamp (without time zone: UTC); default: by when the vector was stored. p_where: a condition over the row, for those who have the rights of the table's owner. With neither: by the source's retention (see track). Raises VE101, VE103, VE104, VE110, VE213, VE601.$$;

revoke execute on function evervec.archive(text, interval, text, text, integer) from public;
