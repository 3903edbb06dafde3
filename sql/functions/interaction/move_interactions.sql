-- move_interactions: what people did with a row, when the row has another key now.
--
-- Interactions are kept by the key that the row had; nothing moves them by itself, because a key may come to name another thing.
-- Where a user has marks under both keys, the newer one counts.
-- Locks:  the interactions and marks of the row.
-- Raises: VE101 unknown source · VE202, VE303 bad row_key
create or replace function evervec.move_interactions(p_source text, p_from jsonb, p_to jsonb)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_keys   jsonb[] := evervec.checked_keys(v_source, array[p_from, p_to]);
    v_moved  bigint;
begin
    if v_keys[1] = v_keys[2] then
        return 0;
    end if;
    update evervec.interaction i set row_key = v_keys[2] where i.source_id = v_source.source_id and i.row_key = v_keys[1];
    get diagnostics v_moved = row_count;
    with former as (
        delete from evervec.row_mark m where m.source_id = v_source.source_id and m.row_key = v_keys[1] returning m.user_id, m.mark, m.marked_at
    )
    insert into evervec.row_mark as m (user_id, source_id, row_key, mark, marked_at)
    select f.user_id, v_source.source_id, v_keys[2], f.mark, f.marked_at from former f order by f.user_id
    on conflict (user_id, source_id, row_key) do update
       set mark = excluded.mark, marked_at = excluded.marked_at
     where excluded.marked_at > m.marked_at;
    return v_moved;
end
$$;

comment on function evervec.move_interactions(text, jsonb, jsonb) is
$$Gives the interactions and marks of a row to another key, after the row's key was changed; returns how many interactions that were. p_from, p_to: the row_key that was, and the one that is. Reads all interactions. Raises VE101, VE202, VE303.$$;

revoke execute on function evervec.move_interactions(text, jsonb, jsonb) from public;
