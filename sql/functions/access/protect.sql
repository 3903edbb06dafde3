-- protect: lets nobody see the vector of a row whom the policies of its table would not let see the row.
--
-- track does it by itself where row-level security of the table is enabled; this is for a table that gains it later.
-- Locks:  ACCESS EXCLUSIVE on the embedding table, taken in attempts of half a second with pauses between them.
-- Raises: VE101 unknown source · VE105 its table is gone, or has no primary key any more · VE110 row-level security is forced upon the
--         table's owner, or he is another one · 55P03 the table stays locked
create or replace function evervec.protect(p_source text)
returns boolean
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    perform evervec.check_relation(v_source.relation);
    if v_source.storage = 'column' then
        raise notice using
            message = format('the vectors of "%s" are in %s itself, whose own policies protect them', v_source.name, v_source.relation_name),
            hint    = format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY; and create policies on it.', v_source.relation_name);
        return false;
    end if;
    perform evervec.create_policies(v_source);
    return true;
end
$$;

comment on function evervec.protect(text) is
$$Enables row-level security on the embedding table of a source, with a policy that shows a vector to those who see its row: by the key, as the role that searches, under the policies of the source's table, on which that role needs SELECT. evervec itself goes on seeing every vector. Safe to repeat. False, with a NOTICE, for column storage, which the table's own policies protect. track does it where row-level security is enabled. Locks the embedding table ACCESS EXCLUSIVE for a moment. Raises VE101, VE105, VE110, 55P03.$$;

revoke execute on function evervec.protect(text) from public;
