-- resolve_dead_letter: somebody has looked at it, and nothing is to be tried anew.
--
-- Locks:  the dead letter.
-- Raises: VE304 no such letter, or it is resolved
create or replace function evervec.resolve_dead_letter(
    p_dead_letter_id bigint,
    p_by             text default current_user,
    p_note           text default null
)
returns void
language plpgsql security definer
set search_path from current
as $$
begin
    perform evervec.open_letter(p_dead_letter_id);
    update evervec.dead_letter d
       set resolved_at = now(), resolved_by = coalesce(p_by, session_user), note = p_note
     where d.dead_letter_id = p_dead_letter_id;
end
$$;

comment on function evervec.resolve_dead_letter(bigint, text, text) is
$$Marks a dead letter as settled without another attempt. p_by: who says so, default the calling role; p_note: why. Raises VE304.$$;

revoke execute on function evervec.resolve_dead_letter(bigint, text, text) from public;
