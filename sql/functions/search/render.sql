-- render: the text of a row as the recipe makes it now; NULL when it has none.
--
-- Locks:  ACCESS SHARE on what the recipe reads.
-- Raises: VE101 unknown source · VE202 bad row_key
-- needs: functions/search/render_rows.sql
create or replace function evervec.render(p_source text, p_row_key jsonb)
returns text
language sql stable
set search_path from current
as $$
    select r.content from evervec.render_rows(p_source, array[p_row_key]) r
$$;

comment on function evervec.render(text, jsonb) is
$$The text of one row as it would be embedded now; NULL when the row is gone or has no text. Raises VE101, VE202.$$;

revoke execute on function evervec.render(text, jsonb) from public;
