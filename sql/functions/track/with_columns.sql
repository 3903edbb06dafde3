-- with_columns: a source whose vectors live in columns of its own table; columns that are not there are added.
--
-- Locks:  ACCESS EXCLUSIVE on the table where a column is added (nothing is rewritten).
-- Raises: VE107 a column of that name has another type · VE111 unknown member of p_storage_columns
create or replace function evervec.with_columns(p_source evervec.source, p_names jsonb, p_dimensions integer)
returns evervec.source
language plpgsql
set search_path from current
as $$
declare
    v_names  jsonb := '{"embedding": "embedding", "model": "embedding_model", "version": "embedding_version",
                        "hash": "embedding_hash", "time": "embedding_updated_at"}'::jsonb || coalesce(p_names, '{}');
    v_column record;
    v_type   text;
begin
    for v_column in select n.key from jsonb_object_keys(v_names) as n (key) loop
        perform evervec.check_option('a member of p_storage_columns', v_column.key, array['embedding', 'model', 'version', 'hash', 'time']);
    end loop;
    p_source.target := p_source.relation;
    p_source.vector_column := v_names ->> 'embedding';
    p_source.model_column := v_names ->> 'model';
    p_source.version_column := v_names ->> 'version';
    p_source.hash_column := v_names ->> 'hash';
    p_source.time_column := v_names ->> 'time';

    for v_column in
        select c.name, c.type
          from (values (p_source.vector_column, format('%s(%s)', p_source.vector_type, p_dimensions)), (p_source.model_column, 'text'),
                       (p_source.version_column, 'integer'), (p_source.hash_column, 'bytea'),
                       (p_source.time_column, 'timestamp with time zone')) as c (name, type)
         where c.name is not null
    loop
        select format_type(a.atttypid, a.atttypmod) into v_type
          from pg_attribute a
         where a.attrelid = p_source.relation and a.attname = v_column.name and not a.attisdropped;
        if not found then
            perform evervec.lock_relation(p_source.relation, 'access exclusive');
            execute format('alter table %s add column %I %s', p_source.relation, v_column.name, v_column.type);
        elsif v_type <> v_column.type then
            raise exception using
                errcode = 'VE107',
                message = format('column "%s" of %s has type %s, not %s', v_column.name, p_source.relation, v_type, v_column.type),
                detail  = 'Column storage uses a column that is there already when its type fits.',
                hint    = format('Name another one: p_storage_columns => ''{"%s": "…"}''.',
                                 (select n.key from jsonb_each_text(v_names) as n where n.value = v_column.name limit 1));
        end if;
    end loop;
    return p_source;
end
$$;

comment on function evervec.with_columns(evervec.source, jsonb, integer) is
$$Internal. The source with the names of its storage columns set, and these columns made where they are not there. Raises VE107, VE111.$$;

revoke execute on function evervec.with_columns(evervec.source, jsonb, integer) from public;
