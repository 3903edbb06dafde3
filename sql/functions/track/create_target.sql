-- create_target: the table that holds the vectors of a source, beside the source's table and owned by the same role.
--
-- Locks:  those of CREATE TABLE.
-- Raises: VE107 a relation of that name exists
create or replace function evervec.create_target(p_source evervec.source, p_dimensions integer)
returns regclass
language plpgsql
set search_path from current
as $$
declare
    v_target  text := p_source.name || '_embedding';
    v_schema  regnamespace := (select c.relnamespace from pg_class c where c.oid = p_source.relation);
    v_owner   regrole := (select c.relowner from pg_class c where c.oid = p_source.relation);
    v_columns text;
    v_keys    text := evervec.key_list(p_source, null, true);
begin
    if exists (select from pg_class c where c.relnamespace = v_schema and c.relname = v_target) then
        raise exception using
            errcode = 'VE107',
            message = format('relation %s.%I exists already', v_schema, v_target),
            detail  = 'evervec keeps the vectors of this source in a table of that name and never takes over a table it did not make.',
            hint    = 'Choose another name with p_name, or rename or drop the existing relation.';
    end if;

    select string_agg(
               format('%I %s %s not null', t.name, format_type(a.atttypid, a.atttypmod),
                      (select format('collate %I.%I', n.nspname, c.collname)
                         from pg_collation c
                         join pg_namespace n on n.oid = c.collnamespace
                        where c.oid = a.attcollation)),
               ', ' order by k.ordinal)
      into v_columns
      from evervec.primary_key(p_source.relation) k
      join pg_attribute a on a.attrelid = p_source.relation and a.attname = k.column_name
      join unnest(p_source.target_key_columns) with ordinality as t (name, ordinality) on t.ordinality = k.ordinal;

    execute format(
        $sql$
        create table %1$s.%2$I (
            %3$s,
            content_hash bytea%6$s,
            model_id     integer     not null,
            embedding    %9$s(%4$s),
            note         text,
            %7$s
            created_at   timestamptz not null default now(),
            updated_at   timestamptz not null default now(),
            primary key (%5$s)
            %8$s
        )
        $sql$,
        v_schema, v_target, v_columns, p_dimensions, v_keys,
        case when p_source.storage <> 'manual' then ' not null' end,
        case when p_source.storage = 'manual' then 'metadata jsonb not null default ''{}'',' end,
        case when p_source.foreign_key
             then format(', foreign key (%s) references %s (%s) on delete cascade on update cascade', v_keys,
                         evervec.qualified_name(p_source.relation), evervec.key_list(p_source, null)) end,
        p_source.vector_type);
    -- Out of line (pgvector's default), vectors would cost the planner nothing to read, and it would sort the whole table where the
    -- index answers at once; they also take four times as long to write. What fits into a page stays in the row, uncompressed.
    execute format('alter table %s.%I set (toast_tuple_target = 8160)', v_schema, v_target);
    execute format('comment on table %s.%I is %L', v_schema, v_target, format(
        'Vectors of %s, kept by evervec. content_hash: SHA-256 of the text that the vector stands for. note: where it does not stand for the whole text. embedding: NULL where the row is archived.', p_source.relation));
    if v_owner <> current_user::regrole then
        execute format('alter table %s.%I owner to %s', v_schema, v_target, v_owner);
        execute format('grant select, insert, update, delete on %s.%I to current_user', v_schema, v_target);
    end if;
    return format('%s.%I', v_schema, v_target)::regclass;
end
$$;

comment on function evervec.create_target(evervec.source, integer) is
$$Internal. Creates the embedding table of a source and returns it. Raises VE107.$$;

revoke execute on function evervec.create_target(evervec.source, integer) from public;
