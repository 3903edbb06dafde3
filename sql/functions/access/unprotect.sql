-- unprotect: takes evervec's policies off the embedding table: whoever may select from it sees every vector.
--
-- Row-level security stays enabled where the table has policies of somebody else.
-- Locks:  ACCESS EXCLUSIVE on the embedding table, taken in attempts of half a second with pauses between them.
-- Raises: VE101 unknown source · 55P03 the table stays locked
create or replace function evervec.unprotect(p_source text)
returns boolean
language plpgsql
set search_path from current
as $$
declare
    v_source    evervec.source := evervec.source_named(p_source);
    v_protected boolean := evervec.is_protected(v_source);
begin
    if v_protected then
        perform evervec.drop_policies(v_source, array['evervec_visible', 'evervec_care']);
        if not exists (select from pg_policy p where p.polrelid = v_source.target) then
            execute format('alter table %s disable row level security', evervec.qualified_name(v_source.target));
        end if;
    end if;
    return v_protected;
end
$$;

comment on function evervec.unprotect(text) is
$$Takes the policies of protect off the embedding table of a source, so that who may select from it sees every key and vector; false when there were none. doctor and alerts tell of it while the source's table has row-level security, and retrack protects it again. Locks the embedding table ACCESS EXCLUSIVE for a moment. Raises VE101, 55P03.$$;

revoke execute on function evervec.unprotect(text) from public;
