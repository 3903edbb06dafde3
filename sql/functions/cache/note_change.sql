-- note_change: says that vectors of a source were stored, so that results of searches kept from before are not used any more.
--
-- An append, which waits for nobody and lets nobody wait. Vectors that only go away need none: a result that has lost a row is short.
-- Locks:  none.
create or replace function evervec.note_change(p_source_id integer)
returns void
language sql
set search_path from current
as $$
    insert into evervec.source_change (source_id) values (p_source_id)
$$;

comment on function evervec.note_change(integer) is
$$Internal. Notes that this transaction stored vectors of a source.$$;

revoke execute on function evervec.note_change(integer) from public;
