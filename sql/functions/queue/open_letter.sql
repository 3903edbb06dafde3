-- open_letter: a dead letter that waits for somebody, locked; or the error that says why it does not.
--
-- Locks:  the dead letter.
-- Raises: VE304 no such letter, or it is resolved
create or replace function evervec.open_letter(p_dead_letter_id bigint)
returns evervec.dead_letter
language plpgsql
set search_path from current
as $$
declare
    v_letter evervec.dead_letter;
begin
    select * into v_letter from evervec.dead_letter d where d.dead_letter_id = p_dead_letter_id for update;
    if not found then
        raise exception using
            errcode = 'VE304',
            message = format('dead letter %s does not exist', coalesce(p_dead_letter_id::text, 'NULL')),
            detail  = 'Perhaps it was kept for as long as evervec.setting says.',
            hint    = 'Those that are open: SELECT * FROM evervec.dead_letters();';
    elsif v_letter.resolved_at is not null then
        raise exception using
            errcode = 'VE304',
            message = format('dead letter %s is resolved already', p_dead_letter_id),
            detail  = format('By %s, at %s.', concat_ws(': ', v_letter.resolved_by, v_letter.note), v_letter.resolved_at),
            hint    = 'Those that are open: SELECT * FROM evervec.dead_letters();';
    end if;
    return v_letter;
end
$$;

comment on function evervec.open_letter(bigint) is
$$Internal. An open dead letter by its id, locked. Raises VE304.$$;

revoke execute on function evervec.open_letter(bigint) from public;
