-- row_priorities: the priorities of rows by the source's expression; NULL where it has none, or fails.
--
-- Locks:  none beyond ACCESS SHARE.
create or replace function evervec.row_priorities(p_source evervec.source, p_row_keys jsonb[])
returns smallint[]
language plpgsql stable
set search_path from current
as $$
declare
    v_priorities smallint[];
    v_one        smallint[];
    v_call       text := format('select evervec.%I($1)', 'priority_' || p_source.name);
begin
    if p_source.priority_sql is null then
        return array_fill(null::smallint, array[cardinality(p_row_keys)]);
    end if;
    begin
        execute v_call into v_priorities using p_row_keys;
        return v_priorities;
    exception when others then
        -- One row's error costs that row its priority, not the others.
        for v_ordinal in 1 .. cardinality(p_row_keys) loop
            begin
                execute v_call into v_one using p_row_keys[v_ordinal : v_ordinal];
                v_priorities[v_ordinal] := v_one[1];
            exception when others then
                v_priorities[v_ordinal] := null;
            end;
        end loop;
        return v_priorities;
    end;
end
$$;

comment on function evervec.row_priorities(evervec.source, jsonb[]) is
$$Internal. One priority a key, in order; NULL: the source's default.$$;

revoke execute on function evervec.row_priorities(evervec.source, jsonb[]) from public;
