-- vector_lookup: the canonical key of a row and the query that fetches its vector, for callers who may not read evervec's tables.
--
-- Locks:  none.
-- Raises: VE101 unknown source · VE202 bad row_key
create or replace function evervec.vector_lookup(p_source text, p_row_key jsonb, out row_key jsonb, out query text)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    row_key := evervec.check_row_key(v_source, p_row_key);
    query := format('select e.%I from (select $1) as k (row_key) join %s e on %s', v_source.vector_column,
                    evervec.qualified_name(v_source.target), evervec.key_match(v_source, 'e', true));
end
$$;

comment on function evervec.vector_lookup(text, jsonb) is
$$Internal. The canonical row_key, and the text of the query over ($1 row_key) that fetches the row's vector. Raises VE101, VE202.$$;

revoke execute on function evervec.vector_lookup(text, jsonb) from public;
