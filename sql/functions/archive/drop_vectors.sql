-- drop_vectors: archives a slice of the rows that the source's retention calls settled.
--
-- What was kept of searches and recommendations may hold them: it is not used any more.
-- Locks:  those of archive_<source>, see create_archive_function.
create or replace function evervec.drop_vectors(p_source evervec.source, p_limit bigint)
returns bigint
language plpgsql
set search_path from current
as $$
declare
    v_settled  record;
    v_archived bigint;
begin
    select * into v_settled from evervec.settled_condition(p_source);
    execute format('select count(*) from evervec.%I($1, $2, $3, false)', 'archive_' || p_source.name)
    into v_archived
    using v_settled.of_row, v_settled.of_vector, p_limit;
    if v_archived > 0 then
        perform evervec.note_change(p_source.source_id);
    end if;
    return v_archived;
end
$$;

comment on function evervec.drop_vectors(evervec.source, bigint) is
$$Internal. Drops the vectors of up to p_limit rows that are settled by the source's retention; returns how many.$$;

revoke execute on function evervec.drop_vectors(evervec.source, bigint) from public;
