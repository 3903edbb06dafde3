-- refresh_preference: learns what a user has done since their preference was made, so that what they just liked counts in what they get next.
--
-- Not where nothing can be written, nor where to write could make a transaction fail that only asks (REPEATABLE READ, SERIALIZABLE). Whoever
-- learns the same now is not waited for: the former preference is good enough once.
-- Locks:  the user's rows of evervec.user_preference, waited for a tenth of a second.
-- needs: functions/preference/update_user_embedding.sql
create or replace function evervec.refresh_preference(p_user text, p_source evervec.source, p_preference text)
returns boolean
language plpgsql
set search_path from current
set lock_timeout = '100ms'
as $$
begin
    if current_setting('transaction_read_only')::boolean
       or current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        return false;
    end if;
    perform evervec.update_user_embedding(p_user, p_source.name, p_preference);
    return true;
exception when lock_not_available or deadlock_detected then
    return false;
end
$$;

comment on function evervec.refresh_preference(text, evervec.source, text) is
$$Internal. Brings a user's preference up to date where that can be done without failing or waiting; false where not.$$;

revoke execute on function evervec.refresh_preference(text, evervec.source, text) from public;
