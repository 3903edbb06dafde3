-- parse_key: a row_key from what a person types: the JSON object, or the bare value of a key of one column.
--
-- Locks:  none.
-- Raises: VE101 unknown source · VE202 not a key
create or replace function evervec.parse_key(p_source text, p_key text)
returns jsonb
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_key    jsonb;
begin
    if cardinality(v_source.key_columns) = 1 and p_key collate "default" !~ '^\s*\{' then
        v_key := jsonb_build_object(v_source.key_columns[1], p_key);
    else
        begin
            v_key := p_key::jsonb;
        exception when data_exception then
            v_key := to_jsonb(p_key);
        end;
    end if;
    return evervec.check_row_key(v_source, v_key);
end
$$;

comment on function evervec.parse_key(text, text) is
$$The row_key that p_key means: a JSON object of the key columns, or the bare value where the key is one column. Raises VE101, VE202.$$;

revoke execute on function evervec.parse_key(text, text) from public;
