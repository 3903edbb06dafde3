-- apply_retention: archives what has settled, a slice of each source that has a retention.
--
-- A source whose retention fails is told by doctor and alerts, and keeps none of the others from theirs.
-- Locks:  those of archive.
-- Raises: VE601 bad limit
create or replace function evervec.apply_retention(p_limit integer default 10000)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source   evervec.source;
    v_archived bigint := 0;
begin
    perform evervec.check_slice(p_limit);
    for v_source in
        select * from evervec.source s where s.retention is not null and s.state <> 'suspended' order by s.source_id
    loop
        begin
            v_archived := v_archived + evervec.drop_vectors(v_source, p_limit);
        exception
            when lock_not_available then
                continue;
            when others then
                update evervec.source s set last_error = sqlerrm where s.source_id = v_source.source_id;
        end;
    end loop;
    return v_archived;
end
$$;

comment on function evervec.apply_retention(integer) is
$$Archives rows of every source that has a retention (see track), as archive does, up to p_limit (default 10,000) of each, and returns how many. Maintenance runs it every 10 minutes; call it until 0 to have all done now. Raises VE601.$$;

revoke execute on function evervec.apply_retention(integer) from public;
