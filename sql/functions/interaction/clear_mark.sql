-- clear_mark: a row that a user has, or dismissed, may be recommended again.
--
-- Locks:  the mark.
-- Raises: VE101 unknown source · VE202 bad row_key · VE501, VE502 bad user
create or replace function evervec.clear_mark(p_user text, p_source text, p_row_key jsonb)
returns boolean
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source;
begin
    perform evervec.check_user(p_user);
    v_source := evervec.source_named(p_source);
    delete from evervec.row_mark m
     where m.user_id = p_user and m.source_id = v_source.source_id and m.row_key = evervec.check_row_key(v_source, p_row_key);
    return found;
end
$$;

comment on function evervec.clear_mark(text, text, jsonb) is
$$Takes back that a user has or dismissed a row, as interactions have it (of a type that marks): it may be recommended again. The interactions themselves stay. Returns false when there was no mark. What a signal says that the user has is not recommended all the same. Raises VE101, VE202, VE501, VE502.$$;

revoke execute on function evervec.clear_mark(text, text, jsonb) from public;
