-- Untracks every source, and takes the upkeep from pg_cron and the ring from the log. Refuses while vectors would be lost, which cost money or hours to make.
do $$
declare
    v_source record;
    v_filled boolean;
begin
    for v_source in select name, target from evervec.source order by name loop
        v_filled := false;
        if exists (select from pg_catalog.pg_class where oid = v_source.target) then
            execute pg_catalog.format('select exists (select from %s)', v_source.target) into v_filled;
        end if;
        if v_filled and pg_catalog.current_setting('evervec.drop_vectors', true) is distinct from 'on' then
            raise exception using
                errcode = 'VE003',
                message = pg_catalog.format('rolling back would drop the vectors of source "%s"', v_source.name),
                detail  = pg_catalog.format('Table %s holds vectors that were computed or paid for.', v_source.target),
                hint    = 'To keep them, run evervec.untrack(name) first. To drop them: evervec rollback --all --drop-vectors, or PGOPTIONS="-c evervec.drop_vectors=on" yoyo rollback.';
        end if;
        perform evervec.untrack(v_source.name, p_drop_vectors => true);
    end loop;
    -- Policies would keep the functions that they call from being dropped.
    for v_source in select polname as name, polrelid::regclass as target from pg_catalog.pg_policy where polname in ('own_rows', 'seen_rows') and polrelid in (
        select oid from pg_catalog.pg_class where relnamespace = 'evervec'::regnamespace) loop
        execute pg_catalog.format('drop policy %I on %s', v_source.name, v_source.target);
    end loop;
    -- So would triggers on tables of users.
    perform evervec.untrack_users(u.relation) from evervec.user_relation u join pg_catalog.pg_class c on c.oid = u.relation;
    perform evervec.unschedule_maintenance();
    perform evervec.push_off();
end
$$;
delete from evervec.model where name = 'local';
delete from evervec.schema_version where migration_id = 'evervec_0003_sources';
