-- lock_key: the key of one of evervec's advisory locks, apart from those of applications.
--
-- Locks:  none itself.
create or replace function evervec.lock_key(p_purpose text)
returns bigint
language sql immutable
set search_path from current
as $$
    select hashtextextended('evervec.' || p_purpose, 0)
$$;

comment on function evervec.lock_key(text) is
$$Internal. Key of the advisory lock for a purpose, such as fold.$$;

revoke execute on function evervec.lock_key(text) from public;
