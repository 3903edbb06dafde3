-- checked_keys: row_keys in their canonical form, each short enough for the queue.
--
-- Locks:  none.
-- Raises: VE202 not a key · VE303 a key too long
create or replace function evervec.checked_keys(p_source evervec.source, p_row_keys jsonb[])
returns jsonb[]
language plpgsql stable
set search_path from current
as $$
declare
    v_keys jsonb[];
    v_long jsonb;
begin
    v_keys := array(select evervec.check_row_key(p_source, k.row_key)
                      from unnest(p_row_keys) with ordinality as k (row_key, ordinality) order by k.ordinality);
    select k into v_long from unnest(v_keys) k where octet_length(k::text) > 2000 limit 1;
    if found then
        raise exception using
            errcode = 'VE303',
            message = format('a key of source "%s" is too long for the queue', p_source.name),
            detail  = format('It has %s bytes and begins with %s; an index holds 2,000.', octet_length(v_long::text), left(v_long::text, 60)),
            hint    = 'Such a row cannot be embedded under this key. Track the table by a shorter primary key.';
    end if;
    return v_keys;
end
$$;

comment on function evervec.checked_keys(evervec.source, jsonb[]) is
$$Internal. The canonical forms of row_keys, in order. Raises VE202, VE303.$$;

revoke execute on function evervec.checked_keys(evervec.source, jsonb[]) from public;
