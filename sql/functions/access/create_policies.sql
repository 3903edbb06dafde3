-- create_policies: the row-level security of an embedding table: who sees a row of the source sees its vector.
--
-- evervec_visible asks for the row by its key, as the role that queries and under the policies of the source's table. A scalar subquery: of
-- an EXISTS the planner may make a hashed scan of the whole source. evervec_care keeps every vector in sight of the owner, also where
-- somebody forces row-level security upon him.
-- Locks:  ACCESS EXCLUSIVE on the embedding table, taken in attempts of half a second with pauses between them.
-- Raises: 55P03 the table stays locked
create or replace function evervec.create_policies(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_target text := evervec.qualified_name(p_source.target);
    v_alias  text := (select quote_ident(c.relname) from pg_class c where c.oid = p_source.target);
    v_row    text := case when v_alias = 's' then 'r' else 's' end;
begin
    perform evervec.drop_policies(p_source, array['evervec_visible', 'evervec_care']);
    execute format('create policy evervec_visible on %s using ((select true from %s %s where %s))', v_target,
                   (evervec.fragments(p_source)).relation, v_row, evervec.key_match(p_source, v_row, false, v_alias, true));
    execute format('create policy evervec_care on %s to %s using (true)', v_target,
                   (select c.relowner::regrole from pg_class c where c.oid = p_source.relation));
    execute format('alter table %s enable row level security', v_target);
end
$$;

comment on function evervec.create_policies(evervec.source) is
$$Internal. Enables row-level security on an embedding table, with policies that mirror the source's visibility. Raises 55P03.$$;

revoke execute on function evervec.create_policies(evervec.source) from public;
