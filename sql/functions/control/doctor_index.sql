-- doctor_index: finding: a vector index that is missing although there is much to search, or that a killed build left invalid.
--
-- Under 10,000 vectors an exact search takes milliseconds: advice. While most is still to be embedded none is wanted yet.
-- Locks:  none.
create or replace function evervec.doctor_index(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language plpgsql volatile
set search_path from current
as $$
declare
    v_any boolean;
begin
    -- NULL while somebody is building it, and where it stands or none is wanted.
    if p_source.pass_kind is null and evervec.index_statement(p_source.name) is not null then
        execute format('select exists (select from %s where %I is not null)', p_source.target, p_source.vector_column) into v_any;
        return query
        select case when i.index is null then 'missing index' else 'invalid index' end,
               case when i.index is null and v.vectors < 10000 then 'advice' else 'error' end,
               format('The vectors of "%s" (about %s) have no %sindex: every search reads them all. A worker builds it without blocking anybody.',
                      p_source.name, v.vectors, case when i.index is null then '' else 'valid ' end),
               format('select evervec.build_index(%L);', p_source.name)
          from evervec.index_of(p_source) i
          cross join (values (evervec.estimated_rows(p_source.target))) as v (vectors)
         where i.index is not null
            or exists (select from evervec.pending(p_source.name) p where p.log + p.queued + p.processing + p.retrying <= 0.05 * v.vectors)
               and v_any;
    end if;
end
$$;

comment on function evervec.doctor_index(evervec.source) is
$$Internal. Finding of doctor: a missing or invalid vector index.$$;

revoke execute on function evervec.doctor_index(evervec.source) from public;
