-- check_relation: refuses what cannot be tracked, or not by this role, with the reason.
--
-- What is made for a table has to be the property of evervec's owner, or of the table's where he may act for that one, as others have to run it and
-- make it anew; which a superuser, who may do everything, would not notice.
-- Locks:  none.
-- Raises: VE105 not an ordinary or partitioned table with a primary key · VE110 not evervec's owner, or row-level
--         security would hide rows
create or replace function evervec.check_relation(p_relation regclass)
returns void
language plpgsql stable
set search_path from current
as $$
declare
    v_owner  regrole := (select n.nspowner from pg_namespace n where n.nspname = 'evervec');
    v_class  pg_class;
    v_reason text;
    v_hint   text;
begin
    if current_user::regrole <> v_owner then
        raise exception using
            errcode = 'VE110',
            message = format('%s cannot be tracked by %s', coalesce(p_relation::text, 'NULL'), current_user),
            detail  = format('What evervec makes for a table belongs to its own owner, %s, who has to be a member of the table''s.', v_owner),
            hint    = format('SET ROLE %s; and try again.', v_owner);
    end if;
    select c.* into v_class from pg_class c where c.oid = p_relation;
    case
        when p_relation is null then
            v_reason := 'no table was named';
            v_hint := 'Name one: p_relation => ''schema.table''.';
        when not found then
            v_reason := format('there is no relation with OID %s', p_relation::oid);
            v_hint := 'Name an existing table.';
        when v_class.relnamespace = 'evervec'::regnamespace
             or exists (select from evervec.source s where s.target = p_relation and s.storage <> 'column') then
            v_reason := 'it belongs to evervec';
            v_hint := 'Track a table of the application.';
        when v_class.relnamespace in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) then
            v_reason := 'it is a system catalog';
            v_hint := 'Track a table of the application.';
        when v_class.relkind in ('v', 'm') then
            v_reason := case v_class.relkind when 'v' then 'it is a view' else 'it is a materialized view' end;
            v_hint := 'Track the table below it: changes are noticed by triggers on tables.';
        when v_class.relkind = 'f' then
            v_reason := 'it is a foreign table';
            v_hint := 'Track it in the database that holds its rows.';
        when v_class.relkind not in ('r', 'p') then
            v_reason := 'it is not a table';
            v_hint := 'Track an ordinary or a partitioned table.';
        when v_class.relpersistence = 't' then
            v_reason := 'it is a temporary table';
            v_hint := 'Its rows vanish with their session; track a permanent table.';
        when not exists (select from pg_index i where i.indrelid = p_relation and i.indisprimary) then
            v_reason := 'it has no primary key';
            v_hint := format('Give every row a name first: ALTER TABLE %s ADD PRIMARY KEY (…);', p_relation);
        else
            v_reason := null;
    end case;
    if v_reason is not null then
        raise exception using
            errcode = 'VE105',
            message = format('%s cannot be tracked: %s', coalesce(p_relation::text, 'NULL'), v_reason),
            detail  = 'evervec tracks ordinary and partitioned tables that have a primary key.',
            hint    = v_hint;
    end if;

    if v_class.relrowsecurity and v_class.relforcerowsecurity
       and not (select r.rolbypassrls or r.rolsuper from pg_roles r where r.oid = v_class.relowner) then
        raise exception using
            errcode = 'VE110',
            message = format('%s cannot be tracked: row-level security would hide rows from evervec', p_relation),
            detail  = 'Texts are rendered with the rights of the table''s owner, to whom FORCE ROW LEVEL SECURITY applies the policies too.',
            hint    = format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY, or give its owner BYPASSRLS.', p_relation);
    end if;
    if not pg_has_role(v_class.relowner, 'usage') then
        raise exception using
            errcode = 'VE110',
            message = format('%s cannot be tracked by %s', p_relation, current_user),
            detail  = format('It belongs to role %s, whose rights are needed to create its triggers and its embedding table.',
                             v_class.relowner::regrole),
            hint    = format('Let the owner of evervec act for it: GRANT %s TO %I;', v_class.relowner::regrole, current_user);
    end if;
end
$$;

comment on function evervec.check_relation(regclass) is
$$Internal. Raises VE105 or VE110, with the reason, when a relation cannot be tracked.$$;

revoke execute on function evervec.check_relation(regclass) from public;
