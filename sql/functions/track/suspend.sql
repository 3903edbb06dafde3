-- suspend: takes a source's triggers away, so that ALTER TABLE may drop or retype the columns that they name; retrack brings them back.
--
-- Changes are not noticed meanwhile; retrack compares the whole source. A policy that asks for the key would be in the way too: until
-- retrack, vectors that are protected are in sight of their owner alone.
-- Locks:  ACCESS EXCLUSIVE on the table, and on an embedding table that is protected, taken in attempts of half a second with pauses
--         between them.
-- Raises: VE101 unknown source · 55P03 the table stays locked
create or replace function evervec.suspend(p_source text)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    perform evervec.drop_triggers(v_source);
    perform evervec.discard_views(v_source);
    if evervec.is_protected(v_source) then
        perform evervec.drop_policies(v_source, array['evervec_visible']);
    end if;
    update evervec.source s set state = 'suspended' where s.source_id = v_source.source_id;
end
$$;

comment on function evervec.suspend(text) is
$$Takes the triggers of a source, and the views of add_views, away, so that columns which they name can be dropped or retyped; vectors stay and are served, those that are protected (see protect) only to their owner. evervec.retrack brings them back. Locks the table ACCESS EXCLUSIVE for a moment. Raises VE101, 55P03.$$;

revoke execute on function evervec.suspend(text) from public;
