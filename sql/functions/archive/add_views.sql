-- add_views: the rows of a source that are archived, and those that are not, as two views.
--
-- Not by track: a view names every column of the table, and PostgreSQL then refuses to drop or retype any of them.
-- Locks:  ACCESS SHARE on the table and its embedding table; ACCESS EXCLUSIVE on former views.
-- Raises: VE101 unknown source · VE602 a relation of that name exists · 2BP01 something else uses a former view
create or replace function evervec.add_views(p_source text)
returns regclass[]
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    perform evervec.discard_views(v_source);
    return evervec.create_views(v_source);
end
$$;

comment on function evervec.add_views(text) is
$$Makes the views <source>_active and <source>_archived beside the table, of its rows that are not archived and of those that are, and returns their names; called again, it makes them anew, as after ADD COLUMN. Whoever reads them needs SELECT on them, on the table and on its embedding table, and sees there what he sees in the table. They name all of its columns: before one is dropped or retyped, suspend takes them away, and retrack brings them back. Raises VE101, VE602, 2BP01.$$;

revoke execute on function evervec.add_views(text) from public;
