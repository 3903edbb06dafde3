-- is_protected: whether evervec keeps policies on the embedding table of a source.
--
-- By evervec_care, which stays while a source is suspended.
-- Locks:  none.
create or replace function evervec.is_protected(p_source evervec.source)
returns boolean
language sql stable
set search_path from current
as $$
    select exists (select from pg_policy p where p.polrelid = p_source.target and p.polname = 'evervec_care')
$$;

comment on function evervec.is_protected(evervec.source) is
$$Internal. Whether protect, or track, has put policies on the embedding table of a source.$$;

revoke execute on function evervec.is_protected(evervec.source) from public;
