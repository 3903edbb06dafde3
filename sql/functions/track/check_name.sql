-- check_name: refuses a source name that its generated objects could not bear.
--
-- Locks:  none.
-- Raises: VE106 empty, too long for a generated name, or one that makes the name of another function · VE102 taken
create or replace function evervec.check_name(p_name text)
returns void
language plpgsql stable
set search_path from current
as $$
declare
    -- The longest of the names that are made from it.
    v_longest text := format('evervec_%s_dep99_truncate', p_name);
    v_taken   text;
begin
    if p_name is null or p_name !~ '\S' then
        raise exception using
            errcode = 'VE106', message = 'the name of a source is empty',
            detail  = 'Functions, triggers and the embedding table are named after it.',
            hint    = 'Leave p_name out to use the table''s name.';
    elsif octet_length(v_longest) > 63 then
        raise exception using
            errcode = 'VE106',
            message = format('the name "%s" is too long for a source', p_name),
            detail  = format('The trigger "%s" would have %s bytes; PostgreSQL keeps 63.', v_longest, octet_length(v_longest)),
            hint    = format('Give a p_name of at most %s bytes.', 63 - octet_length('evervec__dep99_truncate'));
    elsif exists (select from evervec.source s where s.name = p_name) then
        raise exception using
            errcode = 'VE102',
            message = format('source "%s" exists already', p_name),
            detail  = (select format('It tracks %s.', s.relation) from evervec.source s where s.name = p_name),
            hint    = 'Give another p_name to track the table once more, or evervec.untrack() the old source first.';
    end if;
    select p.proname into v_taken
      from pg_proc p
     where p.pronamespace = 'evervec'::regnamespace and p.proname = any (evervec.generated_functions(p_name))
     limit 1;
    if found then
        raise exception using
            errcode = 'VE106',
            message = format('a source cannot be named "%s"', p_name),
            detail  = format('Its function %I would bear the name of one that is there.', v_taken),
            hint    = format('Give another p_name, such as ''%s_source''.', p_name);
    end if;
end
$$;

comment on function evervec.check_name(text) is
$$Internal. Raises VE106 or VE102 when a source cannot have that name.$$;

revoke execute on function evervec.check_name(text) from public;
