-- doctor: what is wrong, each with a sentence and the statement that mends it.
--
-- One function a check (doctor_*). Where a table is gone, its key is another one, privileges are lost, or the source is suspended, further
-- checks of that source would only find the same thing again. A check that fails itself is a finding, too.
-- Locks:  ACCESS SHARE on what the recipes read.
-- Raises: VE101 unknown source
create or replace function evervec.doctor(p_source text default null)
returns table (source text, finding text, severity text, problem text, remedy text)
language plpgsql volatile security definer
set search_path from current
set lock_timeout = '500ms'
as $$
declare
    v_source evervec.source;
    v_check  text;
    v_found  bigint;
begin
    if p_source is not null then
        perform evervec.source_named(p_source);
    end if;
    for v_source in select * from evervec.source s where p_source is null or s.name = p_source order by s.name loop
        foreach v_check in array array['tables', 'key', 'state', 'privileges', 'protection', 'model', 'budget', 'triggers', 'index', 'lists', 'vectors', 'leases', 'updates', 'children', 'recipe', 'filters', 'signals', 'words'] loop
            begin
                return query execute format('select $1, f.finding, f.severity, f.problem, f.remedy from evervec.%I($2) f', 'doctor_' || v_check)
                using v_source.name, v_source;
                get diagnostics v_found = row_count;
            exception when others then
                source := v_source.name;
                finding := 'check failed';
                severity := 'error';
                problem := format('The check of %s failed: %s.', v_check, rtrim(sqlerrm, '.'));
                remedy := format('select evervec.retrack(%L);', v_source.name);
                return next;
                v_found := 0;
            end;
            exit when v_found > 0 and (v_check in ('tables', 'key', 'privileges') or v_check = 'state' and v_source.state = 'suspended');
        end loop;
    end loop;
    if p_source is null then
        return query select null, f.* from evervec.doctor_log() f;
        return query select null, f.* from evervec.doctor_maintenance() f;
        return query select null, f.* from evervec.doctor_push() f;
        return query select null, f.* from evervec.doctor_access() f;
        return query select null, f.* from evervec.doctor_pgvector() f;
    end if;
end
$$;

comment on function evervec.doctor(text) is
$$Looks for what is wrong with a source, or (NULL) with all and the database: missing or disabled triggers, broken recipes, filters and signals, dropped tables, changed keys, missing, invalid or former indexes, lists of ivfflat that do not fit, many dead vectors, stuck leases, a spent budget, a growing log, failing upkeep, lost privileges, rights that grant_access gave and that are gone, vectors without the row-level security of their table, an old pgvector. severity: error, advice, or info (by what the webhook is rung); problem: a sentence; remedy: the statement that mends it. No rows: all is well. Raises VE101.$$;

revoke execute on function evervec.doctor(text) from public;
