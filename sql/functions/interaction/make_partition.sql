-- make_partition: the partition of interactions that a moment falls into, made if it is not there.
--
-- Made apart and attached: that lets people write and read meanwhile, which PARTITION OF would not. Months are those of UTC.
-- Locks:  SHARE UPDATE EXCLUSIVE on evervec.interaction where one is made: that waits only for another one's being made.
-- needs: functions/people/confine_to_user.sql
create or replace function evervec.make_partition(p_at timestamptz)
returns boolean
language plpgsql
set search_path from current
set timezone = 'UTC'
as $$
declare
    v_name text := format('evervec.interaction_%s', to_char(p_at, 'YYYY_MM'));
begin
    if to_regclass(v_name) is not null then
        return false;
    end if;
    perform pg_advisory_xact_lock(evervec.lock_key('partitions'));
    if to_regclass(v_name) is not null then
        return false;
    end if;
    execute format('create table %s (like evervec.interaction including defaults including constraints)', v_name);
    execute format('alter table %s replica identity full', v_name);
    execute format('comment on table %s is %L', v_name, format('Interactions of %s.', to_char(p_at, 'YYYY-MM')));
    perform evervec.confine_to_user(v_name::regclass);
    execute format('alter table evervec.interaction attach partition %s for values from (%L) to (%L)', v_name,
                   date_trunc('month', p_at), date_trunc('month', p_at) + interval '1 month');
    return true;
end
$$;

comment on function evervec.make_partition(timestamptz) is
$$Internal. Makes the partition of evervec.interaction for the month of a moment; false when it is there.$$;

revoke execute on function evervec.make_partition(timestamptz) from public;
