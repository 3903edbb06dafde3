-- check_user: refuses to act for a user whom the session does not speak for.
--
-- The first line of every function that is given a user, and runs with the rights of evervec's owner.
-- Locks:  none.
-- Raises: VE501 another user's · VE502 no user
-- needs: functions/people/current_user_id.sql
-- needs: functions/people/acts_for_all.sql
create or replace function evervec.check_user(p_user text)
returns void
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_user text;
begin
    if p_user is null or p_user !~ '\S' or octet_length(p_user) > 200 then
        raise exception using
            errcode = 'VE502',
            message = format('%s is no user', case when octet_length(p_user) > 200 then 'a text of more than 200 bytes'
                                                   else coalesce(quote_literal(p_user), 'NULL') end),
            detail  = 'A user is the text that the application knows one by, of 1 to 200 bytes, such as a uuid.',
            hint    = 'Give p_user; evervec.current_user_id() is the one that the session speaks for.';
    end if;
    v_user := evervec.current_user_id();
    if p_user is distinct from v_user and not evervec.acts_for_all() then
        raise exception using
            errcode = 'VE501',
            message = 'this is another user''s',
            detail  = case when v_user is null then 'The session speaks for no user.'
                           else format('The session speaks for user %L.', v_user) end,
            hint    = 'SET LOCAL evervec.user_id to the user, or connect as a role that was granted worker or admin and so acts for all.';
    end if;
end
$$;

comment on function evervec.check_user(text) is
$$Internal. Raises VE501 where the session does not speak for that user and its role does not act for all, VE502 where it is no user.$$;

revoke execute on function evervec.check_user(text) from public;
