-- index_due: whether an index of a source is missing and should be built now.
--
-- One build over everything costs far less than as many inserts into a standing index, so it is put off until a fill is all but over.
-- Where writes never let the queue become that short, it is due all the same, some time after the last slice of a pass. That of the words,
-- which costs an insert little, is due once that of the vectors stands, and so is having searches use a new one; that of their texts is put off as well.
-- Locks:  none.
create or replace function evervec.index_due(p_source evervec.source)
returns boolean
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_index record;
    v_most  bigint;
    v_any   boolean;
begin
    select * into v_index from evervec.wanted_index(p_source);
    if v_index.column_name is null or v_index.building
       or not exists (select from pg_class c where c.oid = p_source.target) then
        return false;
    elsif v_index.column_name = 'document' or v_index.step = 'replace' then
        return true;
    end if;
    if p_source.pass_at > now() - evervec.setting_interval('index_wait', '15 minutes') then
        v_most := 0.05 * evervec.estimated_rows(p_source.target);
        if p_source.pass_kind is not null or v_most < (
            select count(*)
              from (select from evervec.processing_queue q where q.source_id = p_source.source_id
                    union all
                    select from evervec.change_log l where l.source_id = p_source.source_id
                    limit v_most + 1) w) then
            return false;
        end if;
    end if;
    execute format('select exists (select from evervec.%I(1))', 'hashes_' || p_source.name) into v_any;
    return v_any;
exception when insufficient_privilege or undefined_function or undefined_table or undefined_column then
    -- alerts and doctor answer whatever is broken, and tell that elsewhere.
    return false;
end
$$;

comment on function evervec.index_due(evervec.source) is
$$Internal. Whether an index of a source is missing or invalid, nobody is building it, and it is time to: it is that of the words, or there are vectors, and no pass and at most a twentieth as much work is left, or the last pass moved longer ago than the setting index_wait.$$;

revoke execute on function evervec.index_due(evervec.source) from public;
