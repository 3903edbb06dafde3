-- add_signal: a query over the application's tables that tells who likes which rows of a source.
--
-- Locks:  as signal_columns.
-- Raises: VE101 unknown source · VE106 a name that is empty, too long, or makes the name of another function · VE110 it reads what the owner
--         of the source's table may not, or reaches what anybody could replace · VE505 no query of that kind, or no weight ·
--         VE507 a signal of that name exists
-- needs: functions/track/add_source.sql
create or replace function evervec.add_signal(
    p_source text,
    p_name   text,
    p_sql    text,
    p_weight double precision default 1
)
returns text
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_signal evervec.signal;
    v_name   text := format('signal_%s_%s', p_source, p_name);
begin
    if p_name is null or p_name !~ '\S' or octet_length(v_name) > 63 then
        raise exception using
            errcode = 'VE106',
            message = format('a signal of source "%s" cannot be named %s', p_source, coalesce(quote_literal(p_name), 'NULL')),
            detail  = 'The name of its function is made of that of the source and its own, and PostgreSQL keeps 63 bytes.',
            hint    = format('Give a p_name of 1 to %s bytes.', 63 - octet_length(format('signal_%s_', p_source)));
    elsif exists (select from evervec.signal s where s.source_id = v_source.source_id and s.name = p_name) then
        raise exception using
            errcode = 'VE507',
            message = format('source "%s" has a signal "%s" already', p_source, p_name),
            detail  = (select format('Its query is: %s', s.query) from evervec.signal s where s.source_id = v_source.source_id and s.name = p_name),
            hint    = format('Give another p_name, or first: SELECT evervec.drop_signal(%L, %L);', p_source, p_name);
    elsif exists (select from pg_proc p where p.pronamespace = 'evervec'::regnamespace and p.proname = v_name) then
        raise exception using
            errcode = 'VE106',
            message = format('a signal of source "%s" cannot be named "%s"', p_source, p_name),
            detail  = format('Its function %I would bear the name of one that is there.', v_name),
            hint    = 'Give another p_name.';
    elsif p_weight is null or not abs(p_weight) <= 1e9 then
        raise exception using
            errcode = 'VE505',
            message = format('a signal cannot weigh %s', coalesce(p_weight::text, 'NULL')),
            detail  = 'A weight is a number of at most a billion either way.',
            hint    = 'Leave p_weight out for 1; a negative weight shows a dislike.';
    end if;
    insert into evervec.signal (source_id, name, query, key_columns, weight)
    values (v_source.source_id, p_name, coalesce(p_sql, ''), v_source.key_columns, p_weight)
    returning * into v_signal;
    update evervec.signal s set columns = evervec.create_signal(v_source, v_signal) where s.signal_id = v_signal.signal_id;
    return v_name;
end
$$;

comment on function evervec.add_signal(text, text, text, double precision) is
$$Adds a signal to a source: a query over tables of yours, from which is learned who likes which rows, and who has them (those are not recommended). Returns the name of its function, signal_<source>_<name>. p_sql: gives user_id and the columns of the source's key by their names, and may give rating, frequency (a text such as daily), amount (such as hours of use), weight and at (when), each one NULL otherwise; it names tables with their schema, is run with the rights of the owner of the source's table, and under UTC. A condition on user_id reaches an index of your table where the query gives that column as it is. p_weight: how much the signal counts, against the 1.0 of a favorite (default 1); negative: as a dislike. Nothing is copied: a change in your tables counts at once. Raises VE101, VE106, VE110, VE505, VE507.$$;

revoke execute on function evervec.add_signal(text, text, text, double precision) from public;
