-- create_views: <source>_active and <source>_archived, beside the table and owned by the same role.
--
-- As the caller sees the rows: policies and privileges of the table, and of the vectors' table, hold.
-- Locks:  ACCESS SHARE on both tables.
-- Raises: VE602 a relation of that name exists
create or replace function evervec.create_views(p_source evervec.source)
returns regclass[]
language plpgsql
set search_path from current
as $$
declare
    v_schema   name := (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = p_source.relation);
    v_owner    regrole := (select c.relowner from pg_class c where c.oid = p_source.relation);
    v_sql      record;
    v_archived text;
    v_view     record;
    v_views    regclass[] := array[]::regclass[];
begin
    select * into v_sql from evervec.fragments(p_source);
    v_archived := format('exists (select from %s e where %s)',
                         case p_source.storage when 'column' then '(select s.*)' else v_sql.target end,
                         concat_ws(' and ', case when p_source.storage <> 'column' then evervec.key_match(p_source, 'e', true, 's', false) end,
                                   v_sql.archived));
    for v_view in
        select format('%I.%I', v_schema, p_source.name || '_' || v.suffix) as name, v.condition, v.meaning
          from (values ('active', 'not ' || v_archived, 'that are not archived'),
                       ('archived', v_archived, 'that are archived')) as v (suffix, condition, meaning)
    loop
        if to_regclass(v_view.name) is not null then
            raise exception using
                errcode = 'VE602',
                message = format('relation %s exists already', v_view.name),
                detail  = format('The view of the rows of "%s" %s would have that name.', p_source.name, v_view.meaning),
                hint    = 'Rename or drop that relation.';
        end if;
        execute format('create view %s with (security_invoker) as select s.* from %s s where %s', v_view.name, v_sql.relation, v_view.condition);
        execute format('comment on view %s is %L', v_view.name,
                       format('Rows of %s %s; made by evervec.add_views.', p_source.relation, v_view.meaning));
        if v_owner <> current_user::regrole then
            execute format('alter view %s owner to %s', v_view.name, v_owner);
        end if;
        v_views := v_views || v_view.name::regclass;
    end loop;
    update evervec.source s set views = v_views where s.source_id = p_source.source_id;
    return v_views;
end
$$;

comment on function evervec.create_views(evervec.source) is
$$Internal. Creates the views <source>_active and <source>_archived and returns them. Raises VE602.$$;

revoke execute on function evervec.create_views(evervec.source) from public;
