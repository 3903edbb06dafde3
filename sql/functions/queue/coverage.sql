-- coverage: how much of a source has the vector it should have, by comparing every hash.
--
-- Reads and renders the whole table: exact, and as slow as that. The view evervec.status has an estimate.
-- Locks:  ACCESS SHARE on the table and its embedding table.
-- Raises: VE101 unknown source
create or replace function evervec.coverage(p_source text)
returns table (source text, total bigint, embedded bigint, archived bigint, missing bigint, percent numeric)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    return query execute format(
        $sql$
        select $1, c.total, c.embedded, c.archived, c.total - c.embedded - c.archived,
               case when c.total = 0 then 100.0 else trunc(100.0 * (c.embedded + c.archived) / c.total, 1) end
          from (
            select count(*) filter (where x.state <> 'empty') as total,
                   count(*) filter (where x.state = 'ok') as embedded,
                   count(*) filter (where x.state = 'archived') as archived
              from evervec.%I(null, null, true) x
          ) c
        $sql$, 'slice_' || v_source.name)
    using v_source.name;
end
$$;

comment on function evervec.coverage(text) is
$$total: rows that have a text; embedded: those whose vector is of the source's model and of that very text; archived: those whose vector was dropped by archive, and whose text is still that one; missing: the others; percent: of those that are not missing, rounded down to one decimal, so that 100.0 means all. Reads the whole table. Raises VE101.$$;

revoke execute on function evervec.coverage(text) from public;
