-- pinned_settings: SET clauses under which a value prints, and reads, the same in every session.
--
-- Locks:  none.
create or replace function evervec.pinned_settings()
returns text
language sql immutable
set search_path from current
as $$
    select 'set timezone = ''UTC'' set datestyle = ''ISO, YMD'' set intervalstyle = ''postgres'' '
           'set extra_float_digits = 1 set bytea_output = ''hex'''
$$;

comment on function evervec.pinned_settings() is
$$Internal. SET clauses of every generated function that renders texts or reads keys.$$;

revoke execute on function evervec.pinned_settings() from public;
