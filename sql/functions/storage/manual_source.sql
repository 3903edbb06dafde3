-- manual_source: the source of that name, if its vectors are the application's to write.
--
-- Locks:  none.
-- Raises: VE101 unknown source · VE205 not a manual source
create or replace function evervec.manual_source(p_source text)
returns evervec.source
language plpgsql stable
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    if v_source.storage <> 'manual' then
        raise exception using
            errcode = 'VE205',
            message = format('the vectors of source "%s" are not written by hand', v_source.name),
            detail  = format('Its storage is ''%s'': evervec makes the vector of a row from its text.', v_source.storage),
            hint    = 'Change the row; or track the table under another p_name with p_storage => ''manual'' for vectors of your own.';
    end if;
    return v_source;
end
$$;

comment on function evervec.manual_source(text) is
$$Internal. The row of a manual source by its name. Raises VE101, VE205.$$;

revoke execute on function evervec.manual_source(text) from public;
