-- drop_views: takes back what add_views made.
--
-- Locks:  ACCESS EXCLUSIVE on the views.
-- Raises: VE101 unknown source · 2BP01 something else uses a view
create or replace function evervec.drop_views(p_source text)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    perform evervec.discard_views(v_source);
    update evervec.source s set views = null where s.source_id = v_source.source_id;
end
$$;

comment on function evervec.drop_views(text) is
$$Drops the views that add_views made. Raises VE101, 2BP01.$$;

revoke execute on function evervec.drop_views(text) from public;
