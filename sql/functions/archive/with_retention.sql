-- with_retention: a source with what p_retention says about which of its rows are settled, and may be archived.
--
-- NULL keeps what it has, {} is none.
-- Locks:  those of analyse_sql.
-- Raises: VE103 unknown column · VE104 where is no condition over the row · VE110 unsafe SQL · VE601 not a retention
-- needs: functions/track/base_type.sql
create or replace function evervec.with_retention(p_source evervec.source, p_retention jsonb)
returns evervec.source
language plpgsql
set search_path from current
as $$
declare
    c_hint   constant text := 'Give older_than (an interval above 0), where (a condition over the row) or both, and with older_than perhaps column, from which it counts: '
                              '{"older_than": "90 days", "column": "closed_at", "where": "status = ''closed''"}.';
    c_times  constant oid[] := array['date', 'timestamp', 'timestamptz']::regtype[]::oid[];
    v_column text := p_retention ->> 'column';
    v_wrong  text;
    v_age    interval;
    v_type   oid;
begin
    if p_retention is null then
        return p_source;
    elsif p_retention = '{}' then
        p_source.retention := null;
        return p_source;
    elsif jsonb_typeof(p_retention) <> 'object' then
        v_wrong := format('It is %s, not an object.', left(p_retention::text, 100));
    else
        select format('Its member "%s" is %s.', m.key, left(m.value::text, 100)) into v_wrong
          from jsonb_each(p_retention) m
         where m.key not in ('older_than', 'column', 'where') or jsonb_typeof(m.value) <> 'string' or m.value #>> '{}' !~ '\S'
         order by m.key
         limit 1;
    end if;
    if v_wrong is null and not p_retention ?| array['older_than', 'where'] then
        v_wrong := 'There is neither an older_than nor a where.';
    elsif v_wrong is null and v_column is not null and not p_retention ? 'older_than' then
        v_wrong := 'There is a column, but no older_than to count from it.';
    elsif v_wrong is null and p_retention ? 'older_than' then
        begin
            v_age := (p_retention ->> 'older_than')::interval;
        exception when data_exception then
            null;
        end;
        if (v_age > interval '0' and isfinite(v_age)) is not true then
            v_wrong := format('older_than is %L.', p_retention ->> 'older_than');
        end if;
    end if;
    if v_wrong is null and v_column is not null then
        select evervec.base_type(a.atttypid) into v_type
          from pg_attribute a
         where a.attrelid = p_source.relation and a.attname = v_column and a.attnum > 0 and not a.attisdropped;
        if not found then
            raise exception using
                errcode = 'VE103',
                message = format('column "%s" of %s does not exist', v_column, p_source.relation),
                detail  = format('Columns that older_than could count from: %s.', coalesce((
                    select string_agg(a.attname, ', ' order by a.attnum)
                      from pg_attribute a
                     where a.attrelid = p_source.relation and a.attnum > 0 and not a.attisdropped and evervec.base_type(a.atttypid) = any (c_times)), 'none')),
                hint    = 'Names are case-sensitive and written without quotes. Without a column, it counts from when the vector was stored.';
        elsif v_type <> all (c_times) then
            v_wrong := format('Column "%s" has type %s, and is neither a date nor a timestamp.', v_column, format_type(v_type, null));
        end if;
    end if;
    if v_wrong is not null then
        raise exception using
            errcode = 'VE601',
            message = format('that does not tell which rows of "%s" are settled', p_source.name),
            detail  = v_wrong,
            hint    = c_hint;
    end if;
    p_source.retention := p_retention;
    perform evervec.retention_columns(p_source);
    return p_source;
end
$$;

comment on function evervec.with_retention(evervec.source, jsonb) is
$$Internal. The source with retention set; NULL keeps what it has, {} is none. Raises VE103, VE104, VE110, VE601.$$;

revoke execute on function evervec.with_retention(evervec.source, jsonb) from public;
