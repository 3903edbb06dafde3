-- check_row_key: a row_key in its canonical form, or the reason why it is none.
--
-- Locks:  none.
-- Raises: VE202 not an object, missing or extra keys, a value that the key's type does not take
create or replace function evervec.check_row_key(p_source evervec.source, p_row_key jsonb)
returns jsonb
language plpgsql stable
set search_path from current
as $$
declare
    v_example text := (select jsonb_object_agg(k.name, '…') from unnest(p_source.key_columns) as k (name))::text;
    v_key     jsonb;
    v_detail  text;
begin
    if p_row_key is null or jsonb_typeof(p_row_key) <> 'object'
       or array(select k from jsonb_object_keys(p_row_key) k order by 1)
          <> array(select k from unnest(p_source.key_columns) k order by 1) then
        raise exception using
            errcode = 'VE202',
            message = format('%s is not a key of source "%s"', coalesce(p_row_key::text, 'NULL'), p_source.name),
            detail  = format('A row_key is a JSON object with exactly the key columns: %s.', array_to_string(p_source.key_columns, ', ')),
            hint    = format('Write it as %s.', v_example);
    end if;
    begin
        execute format('select evervec.%I($1)', 'canonical_' || p_source.name) into v_key using p_row_key;
        v_detail := 'A key column is NULL.';
    exception when data_exception then
        v_detail := sqlerrm;
    end;
    if v_key is null then
        raise exception using
            errcode = 'VE202',
            message = format('%s is not a key of source "%s"', p_row_key, p_source.name),
            detail  = v_detail,
            hint    = format('The types of %s are: %s.', array_to_string(p_source.key_columns, ', '),
                             array_to_string(p_source.key_types, ', '));
    end if;
    return v_key;
end
$$;

comment on function evervec.check_row_key(evervec.source, jsonb) is
$$Internal. The canonical form of a row_key. Raises VE202.$$;

revoke execute on function evervec.check_row_key(evervec.source, jsonb) from public;
