-- render_rows: the texts of some rows as the recipe makes them now.
--
-- Locks:  ACCESS SHARE on what the recipe reads.
-- Raises: VE101 unknown source · VE202 bad row_key
create or replace function evervec.render_rows(p_source text, p_row_keys jsonb[])
returns table (row_key jsonb, content text)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_keys   jsonb[] := array(select evervec.check_row_key(v_source, k.row_key)
                                from unnest(p_row_keys) with ordinality as k (row_key, ordinality) order by k.ordinality);
begin
    return query execute format('select ($1)[r.ordinal], r.content from evervec.%I($1, null) r order by r.ordinal', 'render_' || v_source.name)
    using v_keys;
end
$$;

comment on function evervec.render_rows(text, jsonb[]) is
$$The texts of rows by key, in the order of p_row_keys; NULL where a row is gone or has no text. Raises VE101, VE202.$$;

revoke execute on function evervec.render_rows(text, jsonb[]) from public;
