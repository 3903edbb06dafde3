-- discard_views: drops the views that add_views made, where they still are, and remembers that there were some.
--
-- Locks:  ACCESS EXCLUSIVE on the views.
-- Raises: 2BP01 something else, such as a view of a user's, uses one of them
create or replace function evervec.discard_views(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_view regclass;
begin
    for v_view in select c.oid from pg_class c where c.oid = any (p_source.views) and c.relkind = 'v' loop
        execute format('drop view %s', evervec.qualified_name(v_view));
    end loop;
    update evervec.source s set views = '{}' where s.source_id = p_source.source_id and s.views is not null;
end
$$;

comment on function evervec.discard_views(evervec.source) is
$$Internal. Drops the views of a source; retrack makes them again. Raises 2BP01.$$;

revoke execute on function evervec.discard_views(evervec.source) from public;
