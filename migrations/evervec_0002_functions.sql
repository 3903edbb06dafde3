--
-- Functions and views, frozen from sql/.
--
-- depends: evervec_0001_tables

-- `set search_path from current` in the texts below takes what this sets for the transaction. The schema
-- of pgvector is looked up, because managed services put extensions into one of their own.
do $$
declare
    v_schema name;
begin
    select n.nspname
      into v_schema
      from pg_catalog.pg_extension e
      join pg_catalog.pg_namespace n on n.oid = e.extnamespace
     where e.extname = 'vector';
    if not found then
        raise exception using
            errcode = 'VE001',
            message = pg_catalog.format('pgvector is not installed in database "%s"', pg_catalog.current_database()),
            detail  = 'evervec stores its vectors in the types of pgvector 0.8 or newer.',
            hint    = 'Run CREATE EXTENSION vector; in this database as its owner or a superuser, then migrate again.';
    end if;
    perform pg_catalog.set_config('search_path', pg_catalog.format('pg_catalog, %I, pg_temp', v_schema), true);
    perform pg_catalog.set_config('check_function_bodies', 'on', true);
end
$$;

-- generated: begin (tools/freeze writes from here; what is outside is written by hand and kept)

-- file: functions/access/kind_rights.sql
-- kind_rights: what each kind of access is made of; the one place where that is said.
--
-- object: function (name: in schema evervec), source function (name: the prefix of a source's own), relation (name: in schema evervec),
-- vectors (the embedding table of every source; tables of yours are yours to grant). docs/security.md has the same as a table.
-- Locks:  none.
create or replace function evervec.kind_rights()
returns table (kind text, object text, name text, privilege text)
language sql immutable
set search_path from current
as $$
    select r.kind, r.object, n.name, r.privilege
      from (values
        ('reader', 'function', 'execute',
         'find_similar find_similar_among among_query find_similar_to row_keys keys_query search hybrid_search near_duplicates get_embedding get_embeddings get_source get_model parse_key cached_query '
         'query_limit search_size may_search_exactly index_visits list_probes estimated_rows partitions_of diversify query_of check_words words_of hybrid_pool bm25_ranking bm25_schema known_result keep_result '
         'duplicates_of vector_lookup vectors_lookup recall_check measure_recall recall_queries check_option'),
        ('reader', 'source function', 'execute', 'nearest find_similar similar hybrid_search filter key'),
        ('reader', 'vectors', 'select', '*'),
        ('reader', 'function', 'execute', 'current_user_id acts_for_all check_user'),
        ('reader', 'function', 'execute',
         'recommend recommendation_plan keep_recommendation liked_nearby open_sources presence_query sees_row cache_get'),
        ('reader', 'relation', 'select', 'trend'),
        ('reader', 'relation', 'select', 'interaction row_mark user_preference recommendation_cache analysis_cache'),

        ('writer', 'function', 'execute',
         'put_embedding put_embeddings delete_embedding delete_embeddings enqueue job_status cache_query get_source get_model parse_key'),
        ('writer', 'function', 'execute', 'record_interaction record_interactions clear_mark update_user_embedding current_user_id acts_for_all check_user'),
        ('writer', 'function', 'execute', 'cache_put cache_get cache_forget'),

        ('worker', 'function', 'execute',
         'claim_jobs complete_jobs fail_jobs release_jobs extend_lease begin_call end_call log_batch tick maintain pending due_indexes '
         'get_source get_model index_of running_build vector_indexes estimated_rows archived_rows partitions_of check_ring check_token'),
        ('worker', 'relation', 'select', 'status queue_health schema_version'),
        ('worker', 'function', 'execute', 'current_user_id acts_for_all check_user update_user_embedding update_user_embeddings'),

        ('admin', 'function', 'execute',
         'doctor pending coverage estimate render render_rows parse_key get_source get_model job_status dead_letters dead_letter_statistics '
         'pause resume backfill reconcile reset enqueue enqueue_task retry_dead_letter retry_dead_letter_of_job retry_dead_letters resolve_dead_letter '
         'add_model pause_model resume_model set_budget cache_delete due_indexes tick '
         'cleanup_expired ring maintenance_jobs schedule_maintenance unschedule_maintenance '
         'archive restore apply_retention index_of running_build vector_indexes index_due estimated_rows archived_rows fitting_lists doctor_budget doctor_lists doctor_model doctor_protection doctor_triggers expected_triggers is_protected qualified_name '
         'partitions_of template_parts setting_interval setting_number tokens revoke_token '
         'index_status tune keep_effort better_index '
         'add_interaction_type move_interactions record_interaction record_interactions clear_mark doctor_signals forget_user'),
        ('admin', 'relation', 'select',
         'status queue_health alerts cost budget_status egress access batch_log budget change_log dead_letter dependency filter fold_state job_receipt '
         'maintenance model model_call processing_queue push retry_policy schema_version setting source spending '
         'interaction row_mark user_preference recommendation_cache analysis_cache interaction_type weighting signal preference trend user_relation'),
        ('admin', 'function', 'execute', 'current_user_id acts_for_all check_user add_preference update_user_embedding update_user_embeddings'),
        ('admin', 'function', 'execute', 'update_trends open_sources presence_query sees_row cache_put cache_get cache_forget'),
        ('admin', 'relation', 'update', 'model retry_policy setting interaction_type weighting'),
        ('admin', 'relation', 'insert', 'retry_policy'),
        ('admin', 'relation', 'delete', 'retry_policy')
      ) as r (kind, object, privilege, names)
      cross join lateral string_to_table(r.names, ' ') as n (name)
$$;

comment on function evervec.kind_rights() is
$$Internal. The rights of reader, writer, worker and admin: privilege on object (function, source function, relation, vectors) by name.$$;

revoke execute on function evervec.kind_rights() from public;

-- file: functions/core/qualified_name.sql
-- qualified_name: a relation with its schema, whatever the search_path.
--
-- Locks:  none.
create or replace function evervec.qualified_name(p_relation regclass)
returns text
language sql stable
set search_path from current
as $$
    select format('%I.%I', n.nspname, c.relname)
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
     where c.oid = p_relation
$$;

comment on function evervec.qualified_name(regclass) is
$$Internal. schema.table, quoted where needed; NULL when there is no such relation.$$;

revoke execute on function evervec.qualified_name(regclass) from public;

-- file: functions/track/filter_functions.sql
-- filter_functions: the names of the functions that a filter of a source has.
--
-- Locks:  none.
create or replace function evervec.filter_functions(p_source text, p_filter text)
returns text[]
language sql immutable
set search_path from current
as $$
    select array_agg(format('%s_%s_%s', f.prefix, p_source, p_filter))
      from unnest(array['find_similar', 'filter', 'hybrid_search']) as f (prefix)
$$;

comment on function evervec.filter_functions(text, text) is
$$Internal. Names of the functions in schema evervec that are generated for a filter.$$;

revoke execute on function evervec.filter_functions(text, text) from public;

-- file: functions/track/generated_functions.sql
-- generated_functions: the names of all functions that a source has of its own.
--
-- Locks:  none.
-- needs: functions/track/filter_functions.sql
create or replace function evervec.generated_functions(p_source text)
returns text[]
language sql stable
set search_path from current
as $$
    select array_agg(g.prefix || '_' || p_source) || coalesce(
               (select array_agg(n.name)
                  from evervec.source s
                  join evervec.filter f using (source_id)
                  cross join unnest(evervec.filter_functions(s.name, f.name)) as n (name)
                 where s.name = p_source), '{}') || array(
               select format('signal_%s_%s', s.name, g.name)
                 from evervec.source s
                 join evervec.signal g using (source_id)
                where s.name = p_source)
      from (
        select unnest(array['nearest', 'find_similar', 'similar', 'key', 'canonical', 'render', 'write', 'erase', 'hashes', 'clear', 'archive', 'taste', 'taste_of', 'centre', 'slice', 'orphans', 'sample', 'priority', 'document', 'redocument', 'hybrid_search', 'put', 'remove', 'log_insert', 'log_update',
                            'log_rekey', 'log_delete', 'log_truncate', 'erase_rows', 'erase_row', 'erase_all'])
        union all
        select format(f.form, d.ordinal)
          from evervec.source s
          join evervec.dependency d using (source_id)
          cross join unnest(array['dependents%s', 'log_dep%s_insert', 'log_dep%s_update', 'log_dep%s_delete',
                                  'log_dep%s_truncate']) as f (form)
         where s.name = p_source
      ) as g (prefix)
$$;

comment on function evervec.generated_functions(text) is
$$Internal. Names of the functions in schema evervec that were generated for a source.$$;

revoke execute on function evervec.generated_functions(text) from public;

-- file: functions/access/access_rights.sql
-- access_rights: the rights of a kind on what is there now, as GRANT names it, with the owner and the present privileges of each object.
--
-- source_owner: whose table the source is that the object belongs to; that role has its rights for other reasons, and keeps them.
-- Locks:  none.
-- needs: functions/access/kind_rights.sql
-- needs: functions/core/qualified_name.sql
-- needs: functions/track/generated_functions.sql
create or replace function evervec.access_rights(p_kind text)
returns table (object text, privilege text, owner oid, source_owner oid, acl aclitem[])
language sql stable
set search_path from current
as $$
    select 'schema evervec', 'usage', n.nspowner, null::oid, n.nspacl
      from pg_namespace n
     where n.nspname = 'evervec'
    union all
    select 'function ' || p.oid::regprocedure, r.privilege, p.proowner, null, p.proacl
      from evervec.kind_rights() r
      join pg_proc p on p.pronamespace = 'evervec'::regnamespace and p.proname = r.name
     where r.kind = p_kind and r.object = 'function'
    union all
    select 'function ' || p.oid::regprocedure, r.privilege, p.proowner, t.relowner, p.proacl
      from evervec.kind_rights() r
      cross join evervec.source s
      join pg_class t on t.oid = s.relation
      join pg_proc p on p.pronamespace = 'evervec'::regnamespace and p.proname = any (evervec.generated_functions(s.name))
                    and starts_with(p.proname, r.name || '_' || s.name)
     where r.kind = p_kind and r.object = 'source function'
    union all
    select 'table ' || evervec.qualified_name(c.oid), r.privilege, c.relowner, null, c.relacl
      from evervec.kind_rights() r
      join pg_class c on c.relnamespace = 'evervec'::regnamespace and c.relname = r.name
     where r.kind = p_kind and r.object = 'relation'
    union all
    select 'table ' || evervec.qualified_name(c.oid), r.privilege, c.relowner, t.relowner, c.relacl
      from evervec.kind_rights() r
      join evervec.source s on s.storage <> 'column'
      join pg_class t on t.oid = s.relation
      join pg_class c on c.oid = s.target
     where r.kind = p_kind and r.object = 'vectors'
$$;

comment on function evervec.access_rights(text) is
$$Internal. What a kind of access may do with which object of now, each with its owner, the owner of the source's table, and its present privileges.$$;

revoke execute on function evervec.access_rights(text) from public;

-- file: functions/access/check_role.sql
-- check_role: a role that may be given rights on evervec, or the reason why not.
--
-- Locks:  none.
-- Raises: VE214 no such role, or the owner of evervec, who has every right
create or replace function evervec.check_role(p_role name)
returns regrole
language plpgsql stable
set search_path from current
as $$
declare
    v_role regrole := (select o.oid from pg_roles o where o.rolname = p_role);
begin
    if v_role is null then
        raise exception using
            errcode = 'VE214',
            message = format('role "%s" does not exist', p_role),
            detail  = 'Rights are given to roles that exist; evervec makes none.',
            hint    = format('CREATE ROLE %I LOGIN; or look at the spelling: names are case-sensitive here.', coalesce(p_role, 'evervec_reader'));
    elsif v_role = (select n.nspowner from pg_namespace n where n.nspname = 'evervec') then
        raise exception using
            errcode = 'VE214',
            message = format('role "%s" owns evervec', p_role),
            detail  = 'The owner has every right on it, and needs them.',
            hint    = 'Name the role of an application or of a worker.';
    end if;
    return v_role;
end
$$;

comment on function evervec.check_role(name) is
$$Internal. The role of that name. Raises VE214.$$;

revoke execute on function evervec.check_role(name) from public;

-- file: functions/access/is_confined.sql
-- is_confined: whether row-level security of a table may hide rows from whoever called, and who is no admin.
--
-- Asked by functions that run with other rights than their caller's: who that is, is the role that the session has set, or else its user.
-- Locks:  none.
create or replace function evervec.is_confined(p_relation regclass)
returns boolean
language sql stable
set search_path from current
as $$
    select c.relrowsecurity and not (r.rolsuper or r.rolbypassrls)
           and (c.relforcerowsecurity or not pg_has_role(r.oid, c.relowner, 'usage'))
           and not exists (select from evervec.access a where a.kind = 'admin' and pg_has_role(r.oid, a.role, 'usage'))
      from pg_class c
      join pg_roles r on r.rolname = coalesce(nullif(current_setting('role'), 'none'), session_user)
     where c.oid = p_relation
$$;

comment on function evervec.is_confined(regclass) is
$$Internal. Whether row-level security of a table applies to the session's role, as row_security_active tells of the current one, and that is no admin; NULL when there is no such table.$$;

revoke execute on function evervec.is_confined(regclass) from public;

-- file: functions/access/check_sees_all.sql
-- check_sees_all: refuses a caller who names rows of a source, but from whom row-level security may hide some.
--
-- The functions that ask it work with the rights of the table's owner, on any row.
-- Locks:  none.
-- Raises: VE213 row-level security applies to the caller
-- needs: functions/access/is_confined.sql
create or replace function evervec.check_sees_all(p_source evervec.source)
returns void
language plpgsql stable
set search_path from current
as $$
begin
    if evervec.is_confined(p_source.relation) then
        raise exception using
            errcode = 'VE213',
            message = format('row-level security applies to you on %s', p_source.relation_name),
            detail  = format('Rows of source "%s" are queued, and vectors brought and taken away, without regard to its policies.', p_source.name),
            hint    = format('Call it as a role that sees every row: the owner of %s, or one with BYPASSRLS.', p_source.relation_name);
    end if;
end
$$;

comment on function evervec.check_sees_all(evervec.source) is
$$Internal. Raises VE213 where row-level security of the source's table applies to the caller.$$;

revoke execute on function evervec.check_sees_all(evervec.source) from public;

-- file: functions/access/create_policies.sql
-- create_policies: the row-level security of an embedding table: who sees a row of the source sees its vector.
--
-- evervec_visible asks for the row by its key, as the role that queries and under the policies of the source's table. A scalar subquery: of
-- an EXISTS the planner may make a hashed scan of the whole source. evervec_care keeps every vector in sight of the owner, also where
-- somebody forces row-level security upon him.
-- Locks:  ACCESS EXCLUSIVE on the embedding table, taken in attempts of half a second with pauses between them.
-- Raises: 55P03 the table stays locked
create or replace function evervec.create_policies(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_target text := evervec.qualified_name(p_source.target);
    v_alias  text := (select quote_ident(c.relname) from pg_class c where c.oid = p_source.target);
    v_row    text := case when v_alias = 's' then 'r' else 's' end;
begin
    perform evervec.drop_policies(p_source, array['evervec_visible', 'evervec_care']);
    execute format('create policy evervec_visible on %s using ((select true from %s %s where %s))', v_target,
                   (evervec.fragments(p_source)).relation, v_row, evervec.key_match(p_source, v_row, false, v_alias, true));
    execute format('create policy evervec_care on %s to %s using (true)', v_target,
                   (select c.relowner::regrole from pg_class c where c.oid = p_source.relation));
    execute format('alter table %s enable row level security', v_target);
end
$$;

comment on function evervec.create_policies(evervec.source) is
$$Internal. Enables row-level security on an embedding table, with policies that mirror the source's visibility. Raises 55P03.$$;

revoke execute on function evervec.create_policies(evervec.source) from public;

-- file: functions/access/drop_policies.sql
-- drop_policies: takes policies of evervec off an embedding table; row-level security stays on, so that nobody sees more than before.
--
-- Locks:  ACCESS EXCLUSIVE on the embedding table, taken in attempts of half a second with pauses between them.
-- Raises: 55P03 the table stays locked
create or replace function evervec.drop_policies(p_source evervec.source, p_policies text[])
returns void
language plpgsql
set search_path from current
as $$
declare
    v_policy name;
begin
    perform evervec.lock_relation(p_source.target, 'access exclusive');
    for v_policy in select p.polname from pg_policy p where p.polrelid = p_source.target and p.polname = any (p_policies) loop
        execute format('drop policy %I on %s', v_policy, evervec.qualified_name(p_source.target));
    end loop;
end
$$;

comment on function evervec.drop_policies(evervec.source, text[]) is
$$Internal. Drops those of the named policies that the embedding table of a source has. Raises 55P03.$$;

revoke execute on function evervec.drop_policies(evervec.source, text[]) from public;

-- file: functions/access/forget_roles.sql
-- forget_roles: forgets which rights were given to roles that are gone.
--
-- Locks:  what is forgotten.
create or replace function evervec.forget_roles()
returns bigint
language sql
set search_path from current
as $$
    with removed as (
        delete from evervec.access a where not exists (select from pg_roles o where o.oid = a.role) returning 1
    )
    select count(*) from removed
$$;

comment on function evervec.forget_roles() is
$$Internal. Removes what evervec.access has about roles that are gone; returns how many rows.$$;

revoke execute on function evervec.forget_roles() from public;

-- file: functions/access/missing_rights.sql
-- missing_rights: what grant_access promised and a role has not.
--
-- As after a migration has made a function anew, or somebody has revoked a right by hand.
-- Locks:  none.
-- needs: functions/access/access_rights.sql
create or replace function evervec.missing_rights()
returns table (object text, privilege text, role regrole)
language sql stable
set search_path from current
as $$
    select distinct r.object, r.privilege, a.role
      from evervec.access a
      join pg_roles o on o.oid = a.role
      cross join lateral evervec.access_rights(a.kind) r
     where a.role not in (r.owner, coalesce(r.source_owner, 0))
       and not exists (select from aclexplode(r.acl) g
                        where g.grantee = a.role and g.privilege_type = upper(r.privilege))
     order by r.object, r.privilege
$$;

comment on function evervec.missing_rights() is
$$Internal. Rights of the kinds of access that roles have not, as GRANT names them.$$;

revoke execute on function evervec.missing_rights() from public;

-- file: functions/access/renew_access.sql
-- renew_access: gives everybody what is missing of the rights that grant_access promised.
--
-- track and retrack call it for what they make, and so does a migration that makes functions anew. A role that is gone is forgotten.
-- Locks:  none that matter; GRANT on functions and relations of evervec and on embedding tables, where a right is missing.
-- needs: functions/access/forget_roles.sql
-- needs: functions/access/missing_rights.sql
create or replace function evervec.renew_access()
returns integer
language plpgsql
set search_path from current
as $$
declare
    v_right   record;
    v_renewed integer := 0;
begin
    perform evervec.forget_roles();
    for v_right in select m.object, m.privilege, m.role from evervec.missing_rights() m
    loop
        execute format('grant %s on %s to %s', v_right.privilege, v_right.object, v_right.role);
        v_renewed := v_renewed + 1;
    end loop;
    return v_renewed;
end
$$;

comment on function evervec.renew_access() is
$$Grants what is missing of the rights of everybody to whom grant_access gave some, as after somebody revoked one by hand, and returns how many that were. track and retrack do it by themselves.$$;

revoke execute on function evervec.renew_access() from public;

-- file: functions/access/grant_access.sql
-- grant_access: gives a role the rights that a reader, a writer, a worker or an admin needs, on what there is and on what will be.
--
-- Locks:  none that matter.
-- Raises: VE111 unknown kind · VE214 no such role, or the owner of evervec
-- needs: functions/access/renew_access.sql
create or replace function evervec.grant_access(p_role name, p_kind text)
returns boolean
language plpgsql
set search_path from current
as $$
declare
    v_role regrole := evervec.check_role(p_role);
    v_new  boolean;
begin
    perform evervec.check_option('p_kind', p_kind, array['reader', 'writer', 'worker', 'admin']);
    insert into evervec.access (role, kind) values (v_role, p_kind) on conflict do nothing;
    v_new := found;
    perform evervec.renew_access();
    return v_new;
end
$$;

comment on function evervec.grant_access(name, text) is
$$Gives a role the rights of a kind, on all sources, those tracked later too; false when it had them. p_role: must exist, and may be given several kinds. p_kind: reader (searches, as itself, under the policies of its tables), writer (brings vectors, queues rows, asks about jobs), worker (embeds, and sees nothing but the texts that it claims), admin (watches, pauses, retries, changes limits). Nothing on tables of yours is granted: a reader needs SELECT on what it may see of a table with row-level security. Raises VE111, VE214.$$;

revoke execute on function evervec.grant_access(name, text) from public;

-- file: functions/access/is_protected.sql
-- is_protected: whether evervec keeps policies on the embedding table of a source.
--
-- By evervec_care, which stays while a source is suspended.
-- Locks:  none.
create or replace function evervec.is_protected(p_source evervec.source)
returns boolean
language sql stable
set search_path from current
as $$
    select exists (select from pg_policy p where p.polrelid = p_source.target and p.polname = 'evervec_care')
$$;

comment on function evervec.is_protected(evervec.source) is
$$Internal. Whether protect, or track, has put policies on the embedding table of a source.$$;

revoke execute on function evervec.is_protected(evervec.source) from public;

-- file: functions/access/protect.sql
-- protect: lets nobody see the vector of a row whom the policies of its table would not let see the row.
--
-- track does it by itself where row-level security of the table is enabled; this is for a table that gains it later.
-- Locks:  ACCESS EXCLUSIVE on the embedding table, taken in attempts of half a second with pauses between them.
-- Raises: VE101 unknown source · VE105 its table is gone, or has no primary key any more · VE110 row-level security is forced upon the
--         table's owner, or he is another one · 55P03 the table stays locked
create or replace function evervec.protect(p_source text)
returns boolean
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    perform evervec.check_relation(v_source.relation);
    if v_source.storage = 'column' then
        raise notice using
            message = format('the vectors of "%s" are in %s itself, whose own policies protect them', v_source.name, v_source.relation_name),
            hint    = format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY; and create policies on it.', v_source.relation_name);
        return false;
    end if;
    perform evervec.create_policies(v_source);
    return true;
end
$$;

comment on function evervec.protect(text) is
$$Enables row-level security on the embedding table of a source, with a policy that shows a vector to those who see its row: by the key, as the role that searches, under the policies of the source's table, on which that role needs SELECT. evervec itself goes on seeing every vector. Safe to repeat. False, with a NOTICE, for column storage, which the table's own policies protect. track does it where row-level security is enabled. Locks the embedding table ACCESS EXCLUSIVE for a moment. Raises VE101, VE105, VE110, 55P03.$$;

revoke execute on function evervec.protect(text) from public;

-- file: functions/access/revoke_access.sql
-- revoke_access: takes from a role the rights of a kind, except those that it has as another kind.
--
-- Locks:  none that matter.
-- Raises: VE111 unknown kind · VE214 no such role, or the owner of evervec
-- needs: functions/access/access_rights.sql
create or replace function evervec.revoke_access(p_role name, p_kind text)
returns boolean
language plpgsql
set search_path from current
as $$
declare
    v_role  regrole := evervec.check_role(p_role);
    v_had   boolean;
    v_right record;
begin
    perform evervec.check_option('p_kind', p_kind, array['reader', 'writer', 'worker', 'admin']);
    delete from evervec.access a where a.role = v_role and a.kind = p_kind;
    v_had := found;
    for v_right in
        select r.object, r.privilege
          from evervec.access_rights(p_kind) r
         where v_role not in (r.owner, coalesce(r.source_owner, 0))
           and exists (select from aclexplode(r.acl) g where g.grantee = v_role and g.privilege_type = upper(r.privilege))
           -- Who owns a tracked table has functions in the schema, and needs it.
           and not (r.object = 'schema evervec'
                    and exists (select from evervec.source s join pg_class t on t.oid = s.relation where t.relowner = v_role))
           and not exists (select
                             from evervec.access a
                             cross join lateral evervec.access_rights(a.kind) o
                            where a.role = v_role and o.object = r.object and o.privilege = r.privilege)
         order by r.object, r.privilege
    loop
        execute format('revoke %s on %s from %s', v_right.privilege, v_right.object, v_role);
    end loop;
    return v_had;
end
$$;

comment on function evervec.revoke_access(name, text) is
$$Takes the rights of a kind away, also where they were granted by hand; what the role has as another kind it keeps. Returns whether grant_access had given it that kind. p_role: the role. p_kind: reader, writer, worker or admin. Raises VE111, VE214.$$;

revoke execute on function evervec.revoke_access(name, text) from public;

-- file: functions/access/unprotect.sql
-- unprotect: takes evervec's policies off the embedding table: whoever may select from it sees every vector.
--
-- Row-level security stays enabled where the table has policies of somebody else.
-- Locks:  ACCESS EXCLUSIVE on the embedding table, taken in attempts of half a second with pauses between them.
-- Raises: VE101 unknown source · 55P03 the table stays locked
create or replace function evervec.unprotect(p_source text)
returns boolean
language plpgsql
set search_path from current
as $$
declare
    v_source    evervec.source := evervec.source_named(p_source);
    v_protected boolean := evervec.is_protected(v_source);
begin
    if v_protected then
        perform evervec.drop_policies(v_source, array['evervec_visible', 'evervec_care']);
        if not exists (select from pg_policy p where p.polrelid = v_source.target) then
            execute format('alter table %s disable row level security', evervec.qualified_name(v_source.target));
        end if;
    end if;
    return v_protected;
end
$$;

comment on function evervec.unprotect(text) is
$$Takes the policies of protect off the embedding table of a source, so that who may select from it sees every key and vector; false when there were none. doctor and alerts tell of it while the source's table has row-level security, and retrack protects it again. Locks the embedding table ACCESS EXCLUSIVE for a moment. Raises VE101, 55P03.$$;

revoke execute on function evervec.unprotect(text) from public;

-- file: functions/archive/add_views.sql
-- add_views: the rows of a source that are archived, and those that are not, as two views.
--
-- Not by track: a view names every column of the table, and PostgreSQL then refuses to drop or retype any of them.
-- Locks:  ACCESS SHARE on the table and its embedding table; ACCESS EXCLUSIVE on former views.
-- Raises: VE101 unknown source · VE602 a relation of that name exists · 2BP01 something else uses a former view
create or replace function evervec.add_views(p_source text)
returns regclass[]
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    perform evervec.discard_views(v_source);
    return evervec.create_views(v_source);
end
$$;

comment on function evervec.add_views(text) is
$$Makes the views <source>_active and <source>_archived beside the table, of its rows that are not archived and of those that are, and returns their names; called again, it makes them anew, as after ADD COLUMN. Whoever reads them needs SELECT on them, on the table and on its embedding table, and sees there what he sees in the table. They name all of its columns: before one is dropped or retyped, suspend takes them away, and retrack brings them back. Raises VE101, VE602, 2BP01.$$;

revoke execute on function evervec.add_views(text) from public;

-- file: functions/archive/apply_retention.sql
-- apply_retention: archives what has settled, a slice of each source that has a retention.
--
-- A source whose retention fails is told by doctor and alerts, and keeps none of the others from theirs.
-- Locks:  those of archive.
-- Raises: VE601 bad limit
create or replace function evervec.apply_retention(p_limit integer default 10000)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source   evervec.source;
    v_archived bigint := 0;
begin
    perform evervec.check_slice(p_limit);
    for v_source in
        select * from evervec.source s where s.retention is not null and s.state <> 'suspended' order by s.source_id
    loop
        begin
            v_archived := v_archived + evervec.drop_vectors(v_source, p_limit);
        exception
            when lock_not_available then
                continue;
            when others then
                update evervec.source s set last_error = sqlerrm where s.source_id = v_source.source_id;
        end;
    end loop;
    return v_archived;
end
$$;

comment on function evervec.apply_retention(integer) is
$$Archives rows of every source that has a retention (see track), as archive does, up to p_limit (default 10,000) of each, and returns how many. Maintenance runs it every 10 minutes; call it until 0 to have all done now. Raises VE601.$$;

revoke execute on function evervec.apply_retention(integer) from public;

-- file: functions/archive/archive.sql
-- archive: drops the vectors of settled rows, a slice of them; they are still found by their words.
--
-- Locks:  the rows of the embedding table, SKIP LOCKED; in column storage those of the table itself: who writes one of these rows waits to the
--         end of the transaction.
-- Raises: VE101 unknown source · VE103 unknown column · VE104 p_where is no condition over the row · VE110 not permitted ·
--         VE213 row-level security applies to the caller · VE601 neither an age nor a condition, or a bad age, column or limit
create or replace function evervec.archive(
    p_source     text,
    p_older_than interval default null,
    p_where      text default null,
    p_column     text default null,
    p_limit      integer default 10000
)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    perform evervec.check_sees_all(v_source);
    perform evervec.check_slice(p_limit);
    if p_where is not null then
        perform evervec.check_owns(v_source, 'p_where');
    end if;
    if num_nonnulls(p_older_than, p_where, p_column) > 0 then
        v_source := evervec.with_retention(
            v_source, jsonb_strip_nulls(jsonb_build_object('older_than', p_older_than::text, 'column', p_column, 'where', p_where)));
    elsif v_source.retention is null then
        raise exception using
            errcode = 'VE601',
            message = format('which rows of "%s" are settled was not told', p_source),
            detail  = 'There is neither p_older_than nor p_where, and the source has no retention.',
            hint    = 'Give one of them, or p_where => ''true'' to archive every row.';
    end if;
    return evervec.drop_vectors(v_source, p_limit);
end
$$;

comment on function evervec.archive(text, interval, text, text, integer) is
$$Archives settled rows of a source: drops their vectors, up to p_limit (default 10,000), and returns how many those were; call it until 0. Searches by vectors do not find an archived row, those by words (p_text_search) do; coverage and reconcile know that nothing is missing. Once its text changes it is embedded again, and so is what restore names. p_older_than: rows older than that, by p_column, a date or timestamp (without time zone: UTC); default: by when the vector was stored. p_where: a condition over the row, for those who have the rights of the table's owner. With neither: by the source's retention (see track). Raises VE101, VE103, VE104, VE110, VE213, VE601.$$;

revoke execute on function evervec.archive(text, interval, text, text, integer) from public;

-- file: functions/queue/estimated_rows.sql
-- estimated_rows: about how many rows a table has, partitions included, without reading it.
--
-- As the planner estimates it: the rows a page at the last ANALYZE or VACUUM, or as many as are likely by the types of the columns, on as
-- many pages as there are now. Without EXPLAIN: planning runs functions that the table's owner has put into its indexes, constraints and
-- policies, with the rights of whoever asks.
-- Locks:  none.
create or replace function evervec.estimated_rows(p_relation regclass)
returns bigint
language sql stable
set search_path from current
as $$
    select sum(case when t.relkind = 'p' then 0
                    when t.relkind = 'f' then greatest(t.reltuples, 0)
                    when t.reltuples >= 0 and t.relpages > 0 then round(t.pages * t.reltuples::numeric / t.relpages)
                    else t.pages * greatest((current_setting('block_size')::integer - 24) / (28 + w.bytes), 1) end)::bigint
      from (
        select c.oid, c.relkind, c.reltuples, c.relpages, pg_relation_size(c.oid) / current_setting('block_size')::integer as pages
          from (select p_relation::oid union select p.relid from pg_partition_tree(p_relation) p) as r (relation)
          join pg_class c on c.oid = r.relation
      ) t
      cross join lateral (
        select coalesce(sum(case when a.attlen > 0 then a.attlen else 32 end), 0) as bytes
          from pg_attribute a
         where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
      ) w
$$;

comment on function evervec.estimated_rows(regclass) is
$$Internal. Estimated number of rows of a table; NULL when it does not exist.$$;

revoke execute on function evervec.estimated_rows(regclass) from public;

-- file: functions/archive/archived_rows.sql
-- archived_rows: about how many rows of a source are archived, by the planner's statistics, without reading any.
--
-- With the rights of evervec's owner, to whom PostgreSQL shows the statistics.
-- Locks:  none.
-- needs: functions/queue/estimated_rows.sql
create or replace function evervec.archived_rows(p_source evervec.source)
returns bigint
language sql stable security definer
set search_path from current
as $$
    select round(evervec.estimated_rows(p_source.target) * coalesce((
        select case p_source.storage
                   when 'column' then s.most_common_freqs[array_position(s.most_common_vals::text::text[], 'archived')]
                   else s.null_frac end
          from pg_class c
          join pg_namespace n on n.oid = c.relnamespace
          join pg_stats s on s.schemaname = n.nspname and s.tablename = c.relname
         where c.oid = p_source.target
           and s.attname = case p_source.storage when 'column' then p_source.model_column else p_source.vector_column end
         order by s.inherited desc
         limit 1), 0))::bigint
$$;

comment on function evervec.archived_rows(evervec.source) is
$$Internal. Estimated number of archived rows of a source, as of the last ANALYZE; NULL when its embedding table does not exist.$$;

revoke execute on function evervec.archived_rows(evervec.source) from public;

-- file: functions/archive/check_owns.sql
-- check_owns: refuses SQL of a caller who has not the rights with which it would run: those of the owner of the source's table.
--
-- Asked by functions that run with other rights than their caller's: who that is, is the role that the session has set, or else its user.
-- Locks:  none.
-- Raises: VE110 not permitted
create or replace function evervec.check_owns(p_source evervec.source, p_parameter text)
returns void
language plpgsql stable
set search_path from current
as $$
declare
    v_caller name := coalesce(nullif(current_setting('role'), 'none'), session_user);
    v_owner  regrole := (select c.relowner from pg_class c where c.oid = p_source.relation);
begin
    if not pg_has_role(v_caller, v_owner, 'usage') then
        raise exception using
            errcode = 'VE110',
            message = format('%s is not for %I to give', p_parameter, v_caller),
            detail  = format('It is SQL that runs with the rights of %s, to whom %s belongs.', v_owner, p_source.relation_name),
            hint    = format('Call it as a member of %s, or leave %s out.', v_owner, p_parameter);
    end if;
end
$$;

comment on function evervec.check_owns(evervec.source, text) is
$$Internal. Raises VE110 where the session's role has not the rights of the owner of the source's table; p_parameter: what it gave.$$;

revoke execute on function evervec.check_owns(evervec.source, text) from public;

-- file: functions/archive/check_slice.sql
-- check_slice: refuses a number of rows with which a caller who repeats until 0 would stop at once.
--
-- Locks:  none.
-- Raises: VE601 not 1 or more
create or replace function evervec.check_slice(p_limit bigint)
returns void
language plpgsql immutable
set search_path from current
as $$
begin
    if coalesce(p_limit < 1, true) then
        raise exception using
            errcode = 'VE601', message = 'a slice has 1 row or more',
            detail  = format('p_limit is %s.', coalesce(p_limit::text, 'NULL')),
            hint    = 'Leave it out for its default, and call again until 0.';
    end if;
end
$$;

comment on function evervec.check_slice(bigint) is
$$Internal. Raises VE601 where p_limit is NULL or less than 1.$$;

revoke execute on function evervec.check_slice(bigint) from public;

-- file: functions/track/fragments.sql
-- fragments: the pieces of SQL that several generated functions of a source share.
--
-- relation    its table; plain inheritance is left out: children of a table are tables of their own
-- content     the text of row s; NULL when it has none
-- stored_hash, stored_model   of the vector e, NULL when there is none
-- archived    whether e is an archived row: one that keeps its place, its hash and its words, but has no vector. Of evervec's own table that is
--             a row without one, except that restore gives it a model_id of 0, so that it is embedded again. In a user's table, where NULL means
--             "embed again", the column of the model says so.
-- Locks:  none.
create or replace function evervec.fragments(
    p_source         evervec.source,
    out relation     text,
    out target       text,
    out content      text,
    out stored_hash  text,
    out stored_model text,
    out archived     text
)
language sql stable
set search_path from current
as $$
    select case when p_source.relation_kind = 'p' then '' else 'only ' end || evervec.qualified_name(p_source.relation),
           evervec.qualified_name(p_source.target),
           format(E'(select case when r.content collate "default" ~ ''\\S'' then r.content end from (select %s) as r (content))', p_source.text_expression),
           case p_source.storage
               when 'column' then format('case when e.%1$I is not null then coalesce(e.%2$I, ''''::bytea) when e.%3$I = ''archived'' then e.%2$I end',
                                         p_source.vector_column, p_source.hash_column, p_source.model_column)
               when 'manual' then 'e.content_hash'
               else 'e.content_hash' end,
           case p_source.storage
               when 'column' then (
                    select format('case when e.%1$I = %2$L %3$s or e.%4$I is null and e.%1$I = ''archived'' then %5$s end', p_source.model_column, m.name,
                                  case when p_source.version_column is not null
                                       then format('and e.%I = %s', p_source.version_column, p_source.version) end,
                                  p_source.vector_column, m.model_id)
                      from evervec.model m where m.model_id = p_source.model_id)
               else 'e.model_id' end,
           case p_source.storage
               when 'column' then format('(e.%I is null and e.%I is not null and coalesce(e.%I = ''archived'', false))',
                                         p_source.vector_column, p_source.hash_column, p_source.model_column)
               else format('(e.%I is null and coalesce(e.model_id, 0) <> 0)', p_source.vector_column) end
$$;

comment on function evervec.fragments(evervec.source) is
$$Internal. SQL fragments for the generated functions of a source: its table, its vectors' table, the text of row s, hash and model of vector e, and whether e is an archived row.$$;

revoke execute on function evervec.fragments(evervec.source) from public;

-- file: functions/archive/create_archive_function.sql
-- create_archive_function: archive_<source>(condition over s, condition over e, limit, restore), which drops vectors of settled rows, or has archived ones embedded again.
--
-- An archived row of evervec's own table keeps its place there, with the hash and the words of its text, so that it is still found by words; no
-- index of vectors has it. How it is marked in a user's table, see fragments. The time of its vector stays as it was.
-- With the rights of the table's owner, for it is that role's SQL; nobody but evervec's owner may execute it.
-- Locks:  the rows of the embedding table FOR UPDATE SKIP LOCKED; in column storage those of the table itself, FOR NO KEY UPDATE SKIP LOCKED.
-- needs: functions/track/fragments.sql
create or replace function evervec.create_archive_function(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql    record;
    v_column boolean := p_source.storage = 'column';
begin
    select * into v_sql from evervec.fragments(p_source);
    perform evervec.create_row_function(
        p_source, 'archive', 'p_row text, p_vector text, p_limit bigint, p_restore boolean', 'setof jsonb', false,
        format(
            $body$
        declare
            v_former text := current_setting('evervec.bypass', true);
        begin
            -- Triggers of ours on a user's table must not take this for a change.
            perform set_config('evervec.bypass', 'on', true);
            return query execute
                'with found as materialized (
                    select %1$s
                      from (select s.*, s.tableoid as "evervec partition", s.ctid as "evervec address" from ' || %2$L || ' s where ' || $1 || ') s
                      ' || %10$L || '
                     where ' || case when $4 then %3$L else %4$L end || ' and ' || $2 || '
                     limit $1
                       for %5$s skip locked
                )
                update ' || %6$L || ' d
                   set ' || case when $4 then %7$L else %8$L end || '
                  from found f
                 where d.tableoid = f.partition and d.ctid = f.address
                returning ' || %9$L
            using $3;
            perform set_config('evervec.bypass', coalesce(v_former, ''), true);
        end
            $body$,
            case when v_column then 's."evervec partition" as partition, s."evervec address" as address'
                 else 'e.tableoid as partition, e.ctid as address' end,
            v_sql.relation,
            v_sql.archived, format('e.%I is not null', p_source.vector_column),
            case when v_column then 'no key update of s' else 'update of e' end,
            case when v_column then v_sql.relation else v_sql.target end,
            case when v_column then format('%I = null, %I = null', p_source.hash_column, p_source.model_column) else 'model_id = 0' end,
            format('%I = null', p_source.vector_column) || case when v_column then format(', %I = %L', p_source.model_column, 'archived') else '' end,
            evervec.key_call(p_source, 'd', not v_column),
            case when v_column then 'cross join lateral (select s.*) e'
                 else format('join %s e on %s', v_sql.target, evervec.key_match(p_source, 'e', true, 's', false)) end));
end
$$;

comment on function evervec.create_archive_function(evervec.source) is
$$Internal. Creates or replaces archive_<source>.$$;

revoke execute on function evervec.create_archive_function(evervec.source) from public;

-- file: functions/archive/create_views.sql
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

-- file: functions/archive/discard_views.sql
-- discard_views: drops the views that add_views made, where they still are, and remembers that there were some.
--
-- Locks:  ACCESS EXCLUSIVE on the views.
-- Raises: 2BP01 something else, such as a view of a user's, uses one of them
create or replace function evervec.discard_views(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_view regclass;
begin
    for v_view in select c.oid from pg_class c where c.oid = any (p_source.views) and c.relkind = 'v' loop
        execute format('drop view %s', evervec.qualified_name(v_view));
    end loop;
    update evervec.source s set views = '{}' where s.source_id = p_source.source_id and s.views is not null;
end
$$;

comment on function evervec.discard_views(evervec.source) is
$$Internal. Drops the views of a source; retrack makes them again. Raises 2BP01.$$;

revoke execute on function evervec.discard_views(evervec.source) from public;

-- file: functions/archive/drop_vectors.sql
-- drop_vectors: archives a slice of the rows that the source's retention calls settled.
--
-- What was kept of searches and recommendations may hold them: it is not used any more.
-- Locks:  those of archive_<source>, see create_archive_function.
create or replace function evervec.drop_vectors(p_source evervec.source, p_limit bigint)
returns bigint
language plpgsql
set search_path from current
as $$
declare
    v_settled  record;
    v_archived bigint;
begin
    select * into v_settled from evervec.settled_condition(p_source);
    execute format('select count(*) from evervec.%I($1, $2, $3, false)', 'archive_' || p_source.name)
    into v_archived
    using v_settled.of_row, v_settled.of_vector, p_limit;
    if v_archived > 0 then
        perform evervec.note_change(p_source.source_id);
    end if;
    return v_archived;
end
$$;

comment on function evervec.drop_vectors(evervec.source, bigint) is
$$Internal. Drops the vectors of up to p_limit rows that are settled by the source's retention; returns how many.$$;

revoke execute on function evervec.drop_vectors(evervec.source, bigint) from public;

-- file: functions/archive/drop_views.sql
-- drop_views: takes back what add_views made.
--
-- Locks:  ACCESS EXCLUSIVE on the views.
-- Raises: VE101 unknown source · 2BP01 something else uses a view
create or replace function evervec.drop_views(p_source text)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    perform evervec.discard_views(v_source);
    update evervec.source s set views = null where s.source_id = v_source.source_id;
end
$$;

comment on function evervec.drop_views(text) is
$$Drops the views that add_views made. Raises VE101, 2BP01.$$;

revoke execute on function evervec.drop_views(text) from public;

-- file: functions/archive/restore.sql
-- restore: queues archived rows to be embedded again, a slice of them.
--
-- The row is marked as well: whatever becomes of its job, a backfill or reconcile finds it. Its words stay meanwhile.
-- Locks:  those of archive; rows of processing_queue in (source_id, task_type, row_key) order.
-- Raises: VE101 unknown source · VE104 p_where is no condition over the row · VE110 not permitted · VE111 a manual source ·
--         VE213 row-level security applies to the caller · VE601 bad limit
create or replace function evervec.restore(
    p_source text,
    p_where  text default null,
    p_limit  integer default 10000
)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_keys   jsonb[];
begin
    perform evervec.check_sees_all(v_source);
    perform evervec.check_option(format('the storage of "%s", to restore rows,', v_source.name), v_source.storage, array['table', 'column']);
    perform evervec.check_slice(p_limit);
    if p_where is not null then
        perform evervec.check_owns(v_source, 'p_where');
        perform evervec.analyse_sql(v_source.relation, 'p_where', format(E'(%s\n) is true', p_where));
    end if;
    execute format('select array_agg(k) from evervec.%I($1, ''true'', $2, true) k', 'archive_' || v_source.name)
    into v_keys
    using case when p_where is null then 'true' else evervec.over_row(v_source.relation, p_where) end, p_limit::bigint;
    if v_keys is null then
        return 0;
    end if;
    perform evervec.queue_rows(
        v_source, v_keys, array_fill(0::bigint, array[cardinality(v_keys)]), array_fill(8::smallint, array[cardinality(v_keys)]),
        array_fill(jsonb_build_object('operation', 'restore', 'triggered_by', 'restore', 'triggered_at', now()), array[cardinality(v_keys)]));
    return cardinality(v_keys);
end
$$;

comment on function evervec.restore(text, text, integer) is
$$Queues archived rows of a source to be embedded again, up to p_limit (default 10,000), at priority 8, and returns how many; call it until 0. Texts that the cache has are not paid for again. p_where: a condition over the row, for those who have the rights of the table's owner; default: all that are archived. What the source's retention still calls settled is archived again in its turn: change that first (see retrack). Raises VE101, VE104, VE110, VE111, VE213, VE601.$$;

revoke execute on function evervec.restore(text, text, integer) from public;

-- file: functions/archive/retention_columns.sql
-- retention_columns: the columns that a source's retention reads.
--
-- Locks:  those of analyse_sql.
-- Raises: VE104, VE110 as analyse_sql
create or replace function evervec.retention_columns(p_source evervec.source)
returns text[]
language plpgsql
set search_path from current
as $$
declare
    v_where   text := p_source.retention ->> 'where';
    v_columns text[] := array_remove(array[p_source.retention ->> 'column'], null);
begin
    if v_where is not null then
        v_columns := v_columns || (select a.columns from evervec.analyse_sql(p_source.relation, 'where', format(E'(%s\n) is true', v_where)) a);
    end if;
    return v_columns;
end
$$;

comment on function evervec.retention_columns(evervec.source) is
$$Internal. Columns whose changes may unsettle a row of the source; {} without a retention. Raises VE104, VE110.$$;

revoke execute on function evervec.retention_columns(evervec.source) from public;

-- file: functions/track/over_row.sql
-- over_row: an SQL expression of a user's, which calls the row by its table's name, as an expression over row s.
--
-- Locks:  none.
create or replace function evervec.over_row(p_relation regclass, p_sql text)
returns text
language sql stable
set search_path from current
as $$
    select format(E'(select (%s\n) from (select s.*) as %I)', p_sql, c.relname)
      from pg_class c
     where c.oid = p_relation
$$;

comment on function evervec.over_row(regclass, text) is
$$Internal. A user's SQL expression wrapped so that it can stand where the row is called s.$$;

revoke execute on function evervec.over_row(regclass, text) from public;

-- file: functions/archive/settled_condition.sql
-- settled_condition: a source's retention as SQL: a condition over its row s, and one over that row's vector e.
--
-- Two, so that a user's SQL never stands where e can be seen, whose columns it might take for its own once one of its own is renamed.
-- Locks:  none.
-- needs: functions/track/over_row.sql
create or replace function evervec.settled_condition(
    p_source      evervec.source,
    out of_row    text,
    out of_vector text
)
language sql stable
set search_path from current
as $$
    select coalesce(nullif(concat_ws(' and ',
               case when p_source.retention ? 'column' then
                   format('s.%I < now() - interval %L', p_source.retention ->> 'column', p_source.retention ->> 'older_than') end,
               case when p_source.retention ? 'where' then evervec.over_row(p_source.relation, p_source.retention ->> 'where') end), ''), 'true'),
           case when p_source.retention ? 'older_than' and not p_source.retention ? 'column' then
               format('e.%I < now() - interval %L', p_source.time_column, p_source.retention ->> 'older_than') else 'true' end
$$;

comment on function evervec.settled_condition(evervec.source) is
$$Internal. SQL conditions that together say, by the source's retention, that a row is settled: one over the row s, one over its vector e.$$;

revoke execute on function evervec.settled_condition(evervec.source) from public;

-- file: functions/track/base_type.sql
-- base_type: the type below a domain, or below a domain over domains.
--
-- Locks:  none.
create or replace function evervec.base_type(p_type oid)
returns oid
language sql stable
set search_path from current
as $$
    with recursive up (type, depth) as (
        select p_type, 0
        union all
        select t.typbasetype, up.depth + 1
          from up
          join pg_type t on t.oid = up.type and t.typtype = 'd'
    )
    select up.type from up order by up.depth desc limit 1
$$;

comment on function evervec.base_type(oid) is
$$Internal. The type below a domain; the type itself when it is none.$$;

revoke execute on function evervec.base_type(oid) from public;

-- file: functions/archive/with_retention.sql
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

-- file: functions/auth/hmac_sha256.sql
-- hmac_sha256: HMAC-SHA256 (RFC 2104) of nothing but pg_catalog's sha256, so that no extension is needed.
--
-- Locks:  none.
create or replace function evervec.hmac_sha256(p_message bytea, p_key bytea)
returns bytea
language sql immutable strict parallel safe
set search_path from current
as $$
    with short as (
        select case when length(p_key) > 64 then sha256(p_key) else p_key end as key
    ), block as (
        select s.key || decode(repeat('00', 64 - length(s.key)), 'hex') as key from short s
    ), pad as (
        -- The block's bytes against 0x36 and against 0x5c.
        select string_agg(set_byte('\x00', 0, get_byte(b.key, i) # 54), '' order by i) as inner_pad,
               string_agg(set_byte('\x00', 0, get_byte(b.key, i) # 92), '' order by i) as outer_pad
          from block b
          cross join generate_series(0, 63) i
    )
    select sha256(p.outer_pad || sha256(p.inner_pad || p_message)) from pad p
$$;

comment on function evervec.hmac_sha256(bytea, bytea) is
$$Internal. HMAC-SHA256 of a message under a key of any length; 32 bytes.$$;

revoke execute on function evervec.hmac_sha256(bytea, bytea) from public;

-- file: functions/auth/ring_signature.sql
-- ring_signature: what stands in the header X-Evervec-Signature of a ring.
--
-- Locks:  none.
-- needs: functions/auth/hmac_sha256.sql
create or replace function evervec.ring_signature(p_secret text, p_timestamp bigint, p_nonce text, p_body bytea)
returns text
language sql stable
set search_path from current
as $$
    select 'v1=' || encode(
        evervec.hmac_sha256(convert_to(format('%s.%s.', p_timestamp, p_nonce), 'UTF8') || p_body, convert_to(p_secret, 'UTF8')), 'hex')
$$;

comment on function evervec.ring_signature(text, bigint, text, bytea) is
$$Internal. v1= and the hexadecimal HMAC-SHA256 of "<timestamp>.<nonce>.<body>".$$;

revoke execute on function evervec.ring_signature(text, bigint, text, bytea) from public;

-- file: functions/auth/secret_values.sql
-- secret_values: the secrets of a name that are good now, the present one first.
--
-- Locks:  none.
create or replace function evervec.secret_values(p_name text)
returns setof text
language plpgsql stable
set search_path from current
as $$
declare
    v_secret evervec.secret;
begin
    for v_secret in
        select *
          from evervec.secret s
         where s.name = p_name and (s.retires_at is null or s.retires_at > clock_timestamp())
         order by s.retires_at desc nulls first
    loop
        if v_secret.vault_id is null then
            return next v_secret.value;
        else
            return query execute 'select d.decrypted_secret from vault.decrypted_secrets d where d.id = $1' using v_secret.vault_id;
        end if;
    end loop;
end
$$;

comment on function evervec.secret_values(text) is
$$Internal. The values of a secret: the present one, then former ones that are still good. For the owner only.$$;

revoke execute on function evervec.secret_values(text) from public;

-- file: functions/auth/check_ring.sql
-- check_ring: whether a ring comes from this database, lately, and for the first time.
--
-- The signature comes first: who does not know the secret can fill no table. Nonces have one form, without a full stop: else one could move the
-- border between nonce and body, and the same signature would hold for another nonce. Digests are compared, not signatures: what the time of a
-- comparison tells is about a digest, from which no signature can be made.
-- Locks:  the nonce: a second ring with it waits for the first one's transaction.
-- needs: functions/auth/ring_signature.sql
-- needs: functions/auth/secret_values.sql
create or replace function evervec.check_ring(p_timestamp bigint, p_nonce text, p_body bytea, p_signature text)
returns text
language plpgsql volatile security definer
set search_path from current
as $$
declare
    v_given bytea := sha256(convert_to(p_signature, 'UTF8'));
begin
    if p_nonce !~ '^[0-9A-Za-z_-]{16,64}$' or not exists (
        select
          from evervec.secret_values('ring') as s (value)
         where sha256(convert_to(evervec.ring_signature(s.value, p_timestamp, p_nonce, p_body), 'UTF8')) = v_given
    ) then
        return 'bad';
    elsif abs(extract(epoch from clock_timestamp()) - p_timestamp) > 300 then
        return 'expired';
    end if;
    insert into evervec.ring_nonce (nonce) values (p_nonce) on conflict do nothing;
    return case when found then 'ok' else 'replayed' end;
end
$$;

comment on function evervec.check_ring(bigint, text, bytea, text) is
$$Checks a ring, for webhooks: ok, bad (not signed with the secret, or its former one within the overlap), expired (more than 5 minutes from the server's time), or replayed (its nonce was there before). p_timestamp: seconds since 1970; p_nonce: 16 to 64 letters, digits, - or _; p_signature: v1= and the hexadecimal HMAC-SHA256 of "<timestamp>.<nonce>.<body>".$$;

revoke execute on function evervec.check_ring(bigint, text, bytea, text) from public;

-- file: functions/auth/check_token.sql
-- check_token: whom a bearer token stands for.
--
-- By its hash, which the caller computes: so the token is in no statement, no parameter, no log of the server. It is looked up in an index; what
-- the time of that tells is about a hash, from which no token can be made.
-- Locks:  the token, SKIP LOCKED, once a minute.
create or replace function evervec.check_token(p_token_hash bytea)
returns table (name text, scopes text[], tenant text)
language plpgsql volatile security definer
set search_path from current
as $$
declare
    v_minute constant timestamptz := date_trunc('minute', now());
    v_token  evervec.api_token;
begin
    select * into v_token
      from evervec.api_token t
     where t.token_hash = p_token_hash and t.revoked_at is null and (t.expires_at is null or t.expires_at > now());
    if not found then
        return;
    end if;
    if v_token.last_used_at is distinct from v_minute and not current_setting('transaction_read_only')::boolean then
        update evervec.api_token t
           set last_used_at = v_minute
         where t.ctid = (select o.ctid from evervec.api_token o where o.token_hash = p_token_hash for update skip locked);
    end if;
    return query select v_token.name, v_token.scopes, v_token.tenant;
end
$$;

comment on function evervec.check_token(bytea) is
$$Whom a token stands for, for webhooks; no row for a token that is unknown, expired or revoked. p_token_hash: the SHA-256 of the token. scopes: each includes those below it (admin, write, read). Notes that the token was used, once a minute.$$;

revoke execute on function evervec.check_token(bytea) from public;

-- file: functions/auth/random_key.sql
-- random_key: a secret that nobody can guess, as 64 hexadecimal digits.
--
-- Two random UUIDs: 244 bits of the server's strong randomness, without pgcrypto.
-- Locks:  none.
create or replace function evervec.random_key()
returns text
language sql volatile
set search_path from current
as $$
    select replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')
$$;

comment on function evervec.random_key() is
$$Internal. 64 hexadecimal digits with 244 random bits.$$;

revoke execute on function evervec.random_key() from public;

-- file: functions/auth/create_token.sql
-- create_token: lets somebody call the webhook; the only time that the token is shown.
--
-- Made here, so that it stands in no statement; only its SHA-256 is kept, which is enough for 244 random bits.
-- Locks:  none.
-- Raises: VE111 a blank name, unknown scopes, a time that is over · VE411 there is a token of that name
-- needs: functions/auth/random_key.sql
create or replace function evervec.create_token(
    p_name    text,
    p_scopes  text[] default '{read}',
    p_tenant  text default null,
    p_expires interval default null
)
returns text
language plpgsql
set search_path from current
as $$
declare
    -- Each holds those before it.
    v_all   constant text[] := array['read', 'write', 'admin'];
    v_token constant text   := 'evv_' || evervec.random_key();
    v_scope text;
begin
    if p_name is null or p_name !~ '\S' then
        raise exception using
            errcode = 'VE111', message = 'the name of a token is empty',
            detail  = 'It is listed and revoked by its name.',
            hint    = 'Name it after whoever will hold it.';
    elsif p_expires <= '0' then
        raise exception using
            errcode = 'VE111', message = 'a token cannot have expired already',
            detail  = format('p_expires is %s from now.', p_expires),
            hint    = 'For example ''90 days''; NULL: never.';
    end if;
    foreach v_scope in array coalesce(nullif(p_scopes, '{}'), '{null}') loop
        perform evervec.check_option('p_scopes', v_scope, v_all);
    end loop;
    insert into evervec.api_token (name, token_hash, scopes, tenant, expires_at)
    values (p_name, sha256(convert_to(v_token, 'UTF8')),
            v_all[1 : (select max(array_position(v_all, s)) from unnest(p_scopes) s)],
            p_tenant, now() + p_expires)
    on conflict (name) where revoked_at is null do nothing;
    if not found then
        raise exception using
            errcode = 'VE411',
            message = format('there is a token "%s" already', p_name),
            detail  = 'A token cannot be shown again.',
            hint    = format('Give another name, or SELECT evervec.revoke_token(%L); first.', p_name);
    end if;
    return v_token;
end
$$;

comment on function evervec.create_token(text, text[], text, interval) is
$$Makes a bearer token for the webhook and returns it, this once: only a hash of it is kept. p_name: whom it is for; unique among those that are not revoked. p_scopes: read (search, embed, look), write (process, generate, queue, retry, wake; and read), admin (resolve; and all else). p_tenant: whose provider profile pays for what is done with it (EVERVEC_PROFILES). p_expires: for how long it is good, NULL: until it is revoked. Raises VE111, VE411.$$;

revoke execute on function evervec.create_token(text, text[], text, interval) from public;

-- file: functions/auth/forget_secrets.sql
-- forget_secrets: removes secrets that are no longer good.
--
-- Locks:  what is forgotten.
create or replace function evervec.forget_secrets()
returns bigint
language plpgsql
set search_path from current
as $$
declare
    v_forgotten bigint;
    v_vault_ids uuid[];
begin
    with gone as (
        delete from evervec.secret s where s.retires_at <= now() returning s.vault_id
    )
    select count(*), array_agg(g.vault_id) filter (where g.vault_id is not null) into v_forgotten, v_vault_ids from gone g;
    if v_vault_ids is not null then
        execute 'delete from vault.secrets s where s.id = any ($1)' using v_vault_ids;
    end if;
    return v_forgotten;
end
$$;

comment on function evervec.forget_secrets() is
$$Internal. Removes the secrets whose time is over, from the vault too; returns how many.$$;

revoke execute on function evervec.forget_secrets() from public;

-- file: functions/auth/keep_secret.sql
-- keep_secret: puts a secret in the place of the one of its name, which stays good for the overlap.
--
-- In Supabase Vault where the owner of evervec may use it, else in a table that is his alone. The value must have been made in the database,
-- not written into a statement, which logs and pg_stat_activity would show.
-- Locks:  evervec.secret against others who keep one; readers go on.
-- needs: functions/auth/forget_secrets.sql
create or replace function evervec.keep_secret(p_name text, p_value text, p_overlap interval default '0')
returns void
language plpgsql
set search_path from current
as $$
declare
    v_vault_id uuid;
begin
    lock table evervec.secret in share row exclusive mode;
    update evervec.secret s set retires_at = now() + p_overlap where s.name = p_name and s.retires_at is null;
    perform evervec.forget_secrets();
    -- By its extension: a schema called vault might be anybody's.
    if exists (select from pg_extension e where e.extname = 'supabase_vault' and has_schema_privilege(e.extnamespace, 'usage')) then
        execute 'select vault.create_secret($1, $2)' into v_vault_id
          using p_value, format('evervec %s %s', p_name, gen_random_uuid());
    end if;
    insert into evervec.secret (name, value, vault_id)
    values (p_name, case when v_vault_id is null then p_value end, v_vault_id);
end
$$;

comment on function evervec.keep_secret(text, text, interval) is
$$Internal. Makes p_value the secret p_name; the former one is good for p_overlap longer. For the owner only.$$;

revoke execute on function evervec.keep_secret(text, text, interval) from public;

-- file: functions/auth/revoke_token.sql
-- revoke_token: nobody gets in with a token any more, at once.
--
-- Locks:  the token.
-- Raises: VE412 no such token, or it is revoked
create or replace function evervec.revoke_token(p_name text)
returns void
language plpgsql security definer
set search_path from current
as $$
begin
    update evervec.api_token t set revoked_at = now() where t.name = p_name and t.revoked_at is null;
    if not found then
        raise exception using
            errcode = 'VE412',
            message = format('there is no token "%s" to revoke', p_name),
            detail  = coalesce(
                (select format('Those in use: %s.', string_agg(t.name, ', ' order by t.name)) from evervec.api_token t where t.revoked_at is null having count(*) > 0),
                'There are none in use.'),
            hint    = 'SELECT * FROM evervec.tokens(); lists all.';
    end if;
end
$$;

comment on function evervec.revoke_token(text) is
$$Makes a token worthless from the next request on; its name is free again. Raises VE412.$$;

revoke execute on function evervec.revoke_token(text) from public;

-- file: functions/auth/rotate_secret.sql
-- rotate_secret: a new secret for the signatures of rings; the first call makes the first one.
--
-- Locks:  evervec.secret against others who rotate; rings are signed and checked meanwhile.
-- Raises: VE111 an overlap that is NULL, negative or longer than a day
-- needs: functions/auth/keep_secret.sql
create or replace function evervec.rotate_secret(p_overlap interval default '10 minutes')
returns void
language plpgsql
set search_path from current
as $$
begin
    if p_overlap is null or p_overlap not between '0' and '1 day' then
        raise exception using
            errcode = 'VE111',
            message = 'the former secret must be good for some time, or not at all',
            detail  = format('p_overlap is %s.', coalesce(p_overlap::text, 'NULL')),
            hint    = 'From 0 (the former one has leaked) to 1 day; rings on their way are good for 5 minutes.';
    end if;
    perform evervec.keep_secret('ring', evervec.random_key(), p_overlap);
end
$$;

comment on function evervec.rotate_secret(interval) is
$$Makes a new secret for the signatures of rings, which nobody is shown. p_overlap: how long the former one is good, too, default 10 minutes, so that no ring on its way is refused; 0 when it has leaked. Raises VE111.$$;

revoke execute on function evervec.rotate_secret(interval) from public;

-- file: functions/auth/sign_ring.sql
-- sign_ring: what a ring needs besides its body so that the webhook believes it.
--
-- Locks:  none.
-- Raises: VE410 there is no secret
-- needs: functions/auth/ring_signature.sql
-- needs: functions/auth/secret_values.sql
create or replace function evervec.sign_ring(p_body bytea)
returns table ("timestamp" bigint, nonce text, signature text)
language plpgsql volatile
set search_path from current
as $$
declare
    v_secret text := (select s.value from evervec.secret_values('ring') as s (value) limit 1);
begin
    if v_secret is null then
        raise exception using
            errcode = 'VE410',
            message = 'rings cannot be signed: there is no secret',
            detail  = 'Nobody has called rotate_secret(), or the secret was kept in a vault that did not come along with this database.',
            hint    = 'SELECT evervec.rotate_secret();';
    end if;
    "timestamp" := floor(extract(epoch from clock_timestamp()));
    nonce := replace(gen_random_uuid()::text, '-', '');
    signature := evervec.ring_signature(v_secret, "timestamp", nonce, p_body);
    return next;
end
$$;

comment on function evervec.sign_ring(bytea) is
$$Internal. The headers of a ring with this body: X-Evervec-Timestamp (seconds since 1970), X-Evervec-Nonce and X-Evervec-Signature (v1=…). For the owner only. Raises VE410.$$;

revoke execute on function evervec.sign_ring(bytea) from public;

-- file: functions/auth/tokens.sql
-- tokens: who may call the webhook.
--
-- Locks:  none.
create or replace function evervec.tokens()
returns table (
    name         text,
    scopes       text[],
    tenant       text,
    created_at   timestamptz,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
)
language sql stable security definer
set search_path from current
as $$
    select t.name, t.scopes, t.tenant, t.created_at, t.expires_at, t.revoked_at, t.last_used_at
      from evervec.api_token t
     order by t.created_at, t.name
$$;

comment on function evervec.tokens() is
$$The tokens that were made for the webhook, revoked ones too, the oldest first; not the tokens themselves. expires_at: NULL is never. last_used_at: to the minute.$$;

revoke execute on function evervec.tokens() from public;

-- file: functions/cache/cache_delete.sql
-- cache_delete: removes vectors of texts from the cache, and of queries; those beside their rows stay.
--
-- For texts that must not be remembered, and to have vectors made anew. Entries that another source made, and that a row of this one
-- stands for now, go too.
-- Locks:  the entries, SKIP LOCKED; ACCESS SHARE on the source's embedding table.
-- Raises: VE101 unknown source · VE108 unknown model
create or replace function evervec.cache_delete(
    p_source     text default null,
    p_model      text default null,
    p_older_than interval default null
)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source  evervec.source;
    v_model   integer;
    v_present text := 'false';
    v_removed bigint;
    v_queries bigint := 0;
begin
    if p_model is not null then
        v_model := (evervec.model_named(p_model)).model_id;
    end if;
    if p_source is not null then
        v_source := evervec.source_named(p_source);
        if exists (select from pg_class t where t.oid = v_source.target) then
            v_present := format('c.model_id = $2 and c.content_hash in (select h from evervec.%I(null) h)', 'hashes_' || v_source.name);
        end if;
    end if;
    execute format(
        $sql$
        delete from evervec.embedding_cache d
         where d.ctid = any (array(
            select c.ctid
              from evervec.embedding_cache c
             where ($1 is null or c.source_id = $1 or %s)
               and ($3 is null or c.model_id = $3)
               and ($4 is null or c.used_at < now() - $4)
             limit 10000
               for update of c skip locked))
        $sql$, v_present)
    using v_source.source_id, v_source.model_id, v_model, p_older_than;
    get diagnostics v_removed = row_count;
    if p_source is null then
        delete from evervec.query_cache d
         where d.ctid = any (array(
            select c.ctid
              from evervec.query_cache c
             where (p_model is null or c.model_id = v_model)
               and (p_older_than is null or c.created_at < now() - p_older_than)
             limit 10000
               for update of c skip locked));
        get diagnostics v_queries = row_count;
    end if;
    return v_removed + v_queries;
end
$$;

comment on function evervec.cache_delete(text, text, interval) is
$$Removes up to 10,000 vectors of texts from the cache, and without p_source as many of queries, and returns how many: call it until 0. p_source: those that its texts made, and those of the texts that its rows have now. p_model: of that model. p_older_than: last used longer ago (of queries: made longer ago). What is NULL does not count; without any, all go. Vectors beside their rows stay. Raises VE101, VE108.$$;

revoke execute on function evervec.cache_delete(text, text, interval) from public;

-- file: functions/cache/cache_query.sql
-- cache_query: keeps the vector of the words of a search for the next time; the words themselves are not kept.
--
-- A vector that is there stays until it expires, whatever another caller brings.
-- Locks:  its entry.
-- Raises: VE108 unknown model · VE111 bad kind · VE201 NULL vector or wrong number of dimensions
create or replace function evervec.cache_query(p_model text, p_query text, p_embedding vector, p_kind text default 'query')
returns boolean
language plpgsql security definer
set search_path from current
as $$
declare
    v_model evervec.model := evervec.model_named(p_model);
begin
    perform evervec.check_option('p_kind', p_kind, array['query', 'document']);
    perform evervec.query_limit(p_embedding, v_model.dimensions, 0);
    if p_query is null or current_setting('transaction_read_only')::boolean then
        return false;
    end if;
    insert into evervec.query_cache as c (model_id, query_hash, embedding)
    values (v_model.model_id, evervec.query_hash(v_model, p_query, p_kind), p_embedding)
    on conflict (model_id, query_hash) do update
       set embedding = excluded.embedding, created_at = excluded.created_at
     where c.created_at <= now() - evervec.setting_interval('query_cache_keep', '24 hours');
    return found;
end
$$;

comment on function evervec.cache_query(text, text, vector, text) is
$$Keeps the vector of a query for cached_query; true when it was stored, false when there is one already, p_query is NULL, or the server or the transaction is read-only. p_query: the words alone, without the model's prefix; only a SHA-256 of them is kept. p_embedding: as the model answered for them. p_kind: as cached_query. Raises VE108, VE111, VE201.$$;

revoke execute on function evervec.cache_query(text, text, vector, text) from public;

-- file: functions/cache/cached_query.sql
-- cached_query: the vector of the words of a search, where somebody has searched for them before.
--
-- Writes nothing, not even that it was used: it answers on a standby too, and within functions that are STABLE.
-- Locks:  none.
-- Raises: VE108 unknown model · VE111 bad kind
create or replace function evervec.cached_query(p_model text, p_query text, p_kind text default 'query')
returns vector
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_model evervec.model := evervec.model_named(p_model);
begin
    perform evervec.check_option('p_kind', p_kind, array['query', 'document']);
    return (
        select c.embedding
          from evervec.query_cache c
         where c.model_id = v_model.model_id and c.query_hash = evervec.query_hash(v_model, p_query, p_kind)
           and c.created_at > now() - evervec.setting_interval('query_cache_keep', '24 hours'));
end
$$;

comment on function evervec.cached_query(text, text, text) is
$$The vector of a query that cache_query was given for this model in the last 24 hours (setting query_cache_keep), or NULL: embed it, then. p_query: the words alone, without the model's prefix. p_kind: query (default), or document for a text that is no search and no row. Raises VE108, VE111.$$;

revoke execute on function evervec.cached_query(text, text, text) from public;

-- file: functions/cache/caller_context.sql
-- caller_context: what decides, beside its arguments, what a search of a source finds; NULL where no result of it may be kept.
--
-- None is kept where row-level security decides what is found, nor where an answer may be cut (evervec.exact_search), which is said but once,
-- nor where nothing can be written. Under REPEATABLE READ and SERIALIZABLE,
-- to write or even to read what others write would make a search fail that is only a search. The start of the server is in it, because the
-- transactions of another one, where a dump comes from, say nothing here. p_user is the caller's word; who is logged in, and as which role,
-- is not: at worst somebody spoils what he himself gets. The settings are those that decide how far an index is searched.
-- Locks:  none.
create or replace function evervec.caller_context(p_source evervec.source, p_user name)
returns jsonb
language plpgsql stable
set search_path from current
as $$
begin
    -- Before pgvector's library is loaded its settings are unknown.
    perform vector_dims('[1]'::vector);
    if current_setting('transaction_read_only')::boolean
       or current_setting('transaction_isolation') in ('repeatable read', 'serializable')
       or not coalesce(nullif(current_setting('evervec.exact_search', true), '')::boolean, true)
       -- There rows may come, and keys change, with their vectors: nothing is stored then.
       or p_source.storage = 'column' or p_source.foreign_key
       -- Whose rights a function lends cannot be told from what its caller says.
       or p_user is distinct from coalesce(nullif(current_setting('role'), 'none'), session_user)
       or exists (select from pg_class c where c.oid in (p_source.relation, p_source.target) and c.relrowsecurity) then
        return null;
    end if;
    return jsonb_build_array(
        p_source.source_id, pg_postmaster_start_time(), session_user, current_setting('role'), p_user,
        current_setting('hnsw.ef_search', true), current_setting('hnsw.iterative_scan', true), current_setting('hnsw.max_scan_tuples', true));
end
$$;

comment on function evervec.caller_context(evervec.source, name) is
$$Internal. Caller, source and settings of a search, as JSON; NULL where its result is not kept.$$;

revoke execute on function evervec.caller_context(evervec.source, name) from public;

-- file: functions/control/setting_interval.sql
-- setting_interval: a threshold from evervec.setting; the default where it is missing or no interval, so that nothing fails for it.
--
-- Locks:  none.
create or replace function evervec.setting_interval(p_name text, p_default interval)
returns interval
language plpgsql stable
set search_path from current
as $$
begin
    return coalesce((select (s.value #>> '{}')::interval from evervec.setting s where s.name = p_name), p_default);
exception when data_exception then
    return p_default;
end
$$;

comment on function evervec.setting_interval(text, interval) is
$$Internal. An interval from evervec.setting, or the default.$$;

revoke execute on function evervec.setting_interval(text, interval) from public;

-- file: functions/cache/fill_cache.sql
-- fill_cache: keeps the vectors of leased jobs for the next time that one of these texts comes.
--
-- Locks:  the entries, in (model_id, content_hash) order, so that two workers with the same texts wait for each other and no more.
-- needs: functions/control/setting_interval.sql
create or replace function evervec.fill_cache(
    p_source_ids integer[],
    p_hashes     bytea[],
    p_embeddings vector[],
    p_notes      text[]
)
returns void
language sql
set search_path from current
as $$
    insert into evervec.embedding_cache as c (model_id, content_hash, embedding, note, source_id)
    select distinct on (s.model_id, u.hash) s.model_id, u.hash, u.embedding, u.note, s.source_id
      from unnest(p_source_ids, p_hashes, p_embeddings, p_notes) as u (source_id, hash, embedding, note)
      join evervec.source s on s.source_id = u.source_id
     where u.embedding is not null and s.cache
     order by s.model_id, u.hash
    on conflict (model_id, content_hash) do update
       set embedding = excluded.embedding, note = excluded.note, source_id = excluded.source_id,
           created_at = excluded.created_at, used_at = excluded.used_at
     where c.used_at < now() - evervec.setting_interval('cache_keep', '30 days')
$$;

comment on function evervec.fill_cache(integer[], bytea[], vector[], text[]) is
$$Internal. Stores vectors of texts in the cache, those of sources that want it (a NULL source_id is passed over); entries that are there stay unless they have expired.$$;

revoke execute on function evervec.fill_cache(integer[], bytea[], vector[], text[]) from public;

-- file: functions/control/setting_number.sql
-- setting_number: a threshold from evervec.setting; the default where it is missing or no number, so that nothing fails for it.
--
-- Locks:  none.
create or replace function evervec.setting_number(p_name text, p_default numeric)
returns numeric
language plpgsql stable
set search_path from current
as $$
begin
    return coalesce((select (s.value #>> '{}')::numeric from evervec.setting s where s.name = p_name), p_default);
exception when data_exception then
    return p_default;
end
$$;

comment on function evervec.setting_number(text, numeric) is
$$Internal. A number from evervec.setting, or the default.$$;

revoke execute on function evervec.setting_number(text, numeric) from public;

-- file: functions/cache/forget_queries.sql
-- forget_queries: removes vectors of queries by age and number, as evervec.setting says; the oldest go first.
--
-- Locks:  what is forgotten, SKIP LOCKED.
-- needs: functions/control/setting_interval.sql
-- needs: functions/control/setting_number.sql
create or replace function evervec.forget_queries(p_limit integer default 10000)
returns bigint
language sql
set search_path from current
as $$
    with surplus as (
        select greatest(count(*) - greatest(evervec.setting_number('query_cache_most', 10000), 0), 0)::bigint as entries
          from evervec.query_cache c
    ), removed as (
        delete from evervec.query_cache c
         where c.ctid = any (array(
            select o.ctid
              from evervec.query_cache o
             where o.created_at <= (select now() - evervec.setting_interval('query_cache_keep', '24 hours'))
                or o.ctid in (
                    select n.ctid from evervec.query_cache n order by n.created_at limit (select least(s.entries, p_limit) from surplus s))
             limit p_limit
               for update skip locked))
        returning 1
    )
    select count(*) from removed
$$;

comment on function evervec.forget_queries(integer) is
$$Internal. Removes vectors of queries that have expired or are beyond the number that is kept, up to p_limit; returns how many.$$;

revoke execute on function evervec.forget_queries(integer) from public;

-- file: functions/cache/forget_results.sql
-- forget_results: removes results of searches by age and number, and those that a change has made void; sums up the changes.
--
-- Of a source with many changes all those that are committed become one, of this transaction: whatever result was found before it is void,
-- which at most costs a search. So no result, not even one of a transaction that is still open, can take a change that it has not seen
-- for one that never was.
-- Locks:  what is forgotten, SKIP LOCKED.
-- needs: functions/control/setting_interval.sql
-- needs: functions/control/setting_number.sql
create or replace function evervec.forget_results(p_limit integer default 10000)
returns bigint
language sql
set search_path from current
as $$
    with surplus as (
        select greatest(count(*) - greatest(evervec.setting_number('search_cache_most', 10000), 0), 0)::bigint as entries
          from evervec.search_cache
    ), removed as (
        delete from evervec.search_cache d
         where d.ctid = any (array(
            select o.ctid
              from evervec.search_cache o
             where o.created_at <= (select now() - evervec.setting_interval('search_cache_keep', '24 hours'))
                or o.ctid in (
                    select n.ctid from evervec.search_cache n order by n.created_at limit (select least(s.entries, p_limit) from surplus s))
                or exists (
                    select from evervec.source_change c
                     where c.source_id = o.source_id
                       and c.xid >= pg_snapshot_xmin(o.seen)
                       and (not pg_visible_in_snapshot(c.xid, o.seen) or c.xid = o.kept_by))
             limit p_limit
               for update skip locked))
        returning 1
    ), summed as (
        delete from evervec.source_change d
         where d.ctid = any (array(
            select c.ctid
              from evervec.source_change c
             where c.source_id in (select n.source_id from evervec.source_change n group by n.source_id having count(*) > 100)
                -- From another cluster, by a dump.
                or c.xid > pg_current_xact_id()
             limit p_limit
               for update skip locked))
        returning d.source_id
    ), sums as (
        insert into evervec.source_change (source_id)
        select distinct s.source_id from summed s
    )
    select count(*) from removed
$$;

comment on function evervec.forget_results(integer) is
$$Internal. Removes results of searches that have expired, do not hold any more or are beyond the number that is kept, up to p_limit, and returns how many; puts one row of source_change in the place of more than a hundred of a source.$$;

revoke execute on function evervec.forget_results(integer) from public;

-- file: functions/cache/keep_cached.sql
-- keep_cached: notes that vectors of the cache were used, so that they stay.
--
-- The time is written once a day at most: each time writes the vector again.
-- Locks:  the entries, SKIP LOCKED: nobody waits for it.
create or replace function evervec.keep_cached(p_model_id integer, p_hashes bytea[])
returns void
language sql
set search_path from current
as $$
    update evervec.embedding_cache c
       set used_at = now()
     where c.ctid = any (array(
        select u.ctid
          from evervec.embedding_cache u
         where u.model_id = p_model_id and u.content_hash = any (p_hashes) and u.used_at < now() - interval '1 day'
           for no key update skip locked))
$$;

comment on function evervec.keep_cached(integer, bytea[]) is
$$Internal. Keeps entries of the cache from expiring.$$;

revoke execute on function evervec.keep_cached(integer, bytea[]) from public;

-- file: functions/cache/result_hash.sql
-- result_hash: what the result of a search is known by: the SHA-256 of all that decides it; NULL where none is kept.
--
-- Locks:  none.
-- needs: functions/cache/caller_context.sql
-- needs: functions/control/setting_interval.sql
create or replace function evervec.result_hash(
    p_source         evervec.source,
    p_query          vector,
    p_limit          integer,
    p_min_similarity real,
    p_exclude        jsonb[],
    p_user           name
)
returns bytea
language plpgsql stable
set search_path from current
as $$
declare
    v_context jsonb := evervec.caller_context(p_source, p_user);
begin
    if v_context is null or evervec.setting_interval('search_cache_keep', '24 hours') <= '0' then
        return null;
    end if;
    return sha256(convert_to(
        jsonb_build_array(v_context, sha256(vector_send(p_query)), p_limit, p_min_similarity, p_exclude)::text, 'UTF8'));
end
$$;

comment on function evervec.result_hash(evervec.source, vector, integer, real, jsonb[], name) is
$$Internal. SHA-256 of caller, source, query vector, limit, threshold, exclusions and settings of a search; NULL where its result is not kept.$$;

revoke execute on function evervec.result_hash(evervec.source, vector, integer, real, jsonb[], name) from public;

-- file: functions/cache/keep_result.sql
-- keep_result: keeps what a search has found for the next one like it.
--
-- Of two who bring the same result neither waits for the other; one of theirs is found.
-- Locks:  the former result, SKIP LOCKED.
-- Raises: VE101 unknown source
-- needs: functions/cache/result_hash.sql
create or replace function evervec.keep_result(
    p_source         text,
    p_query          vector,
    p_limit          integer,
    p_min_similarity real,
    p_exclude        jsonb[],
    p_user           name,
    p_seen           pg_snapshot,
    p_row_keys       jsonb[],
    p_similarities   real[],
    p_distances      real[]
)
returns boolean
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_hash   bytea := evervec.result_hash(v_source, p_query, p_limit, p_min_similarity, p_exclude, p_user);
begin
    -- A great answer costs more to keep than to find.
    if v_hash is null or cardinality(p_row_keys) > least(p_limit, 1000)
       or cardinality(p_row_keys) <> all (array[cardinality(p_similarities), cardinality(p_distances)]) then
        return false;
    end if;
    delete from evervec.search_cache d
     where d.ctid = any (array(select r.ctid from evervec.search_cache r where r.search_hash = v_hash for update skip locked));
    insert into evervec.search_cache (source_id, search_hash, seen, row_keys, similarities, distances)
    values (v_source.source_id, v_hash, p_seen, p_row_keys, p_similarities, p_distances);
    return true;
end
$$;

comment on function evervec.keep_result(text, vector, integer, real, jsonb[], name, pg_snapshot, jsonb[], real[], real[]) is
$$Internal. Keeps keys, similarities and distances that a search found; p_seen: a snapshot taken before it. False where results are not kept. Raises VE101.$$;

revoke execute on function evervec.keep_result(text, vector, integer, real, jsonb[], name, pg_snapshot, jsonb[], real[], real[]) from public;

-- file: functions/cache/known_result.sql
-- known_result: the result that a search had before, where the source has not changed since, and the query that reads its rows.
--
-- A change that is committed now and was not yet for the search makes the result void, whenever its transaction began: so snapshots are
-- compared, not times. Rows whose vectors went leave no trace here: the query, run as the caller, gives all rows of the result or none.
-- Locks:  none.
-- Raises: VE101 unknown source
-- needs: functions/cache/result_hash.sql
create or replace function evervec.known_result(
    p_source         text,
    p_query          vector,
    p_limit          integer,
    p_min_similarity real,
    p_exclude        jsonb[],
    p_user           name,
    out row_keys     jsonb[],
    out similarities real[],
    out distances    real[],
    out query        text
)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_hash   bytea := evervec.result_hash(v_source, p_query, p_limit, p_min_similarity, p_exclude, p_user);
begin
    if v_hash is null then
        return;
    end if;
    select r.row_keys, r.similarities, r.distances into row_keys, similarities, distances
      from evervec.search_cache r
     where r.search_hash = v_hash
       and r.created_at > now() - evervec.setting_interval('search_cache_keep', '24 hours')
       and not exists (
           select from evervec.source_change c
            where c.source_id = r.source_id
              and c.xid >= pg_snapshot_xmin(r.seen)
              and (not pg_visible_in_snapshot(c.xid, r.seen) or c.xid = r.kept_by))
     limit 1;
    if row_keys is null then
        return;
    end if;
    query := format(
        $sql$
        with present as materialized (
            select k.ordinality, %s as row_key, k.similarity, k.distance
              from unnest($1, $2, $3) with ordinality as k (row_key, similarity, distance, ordinality)
              join %s e on %s
             where e.%I is not null
        )
        select p.row_key, p.similarity, p.distance
          from present p
         where (select count(*) from present) = cardinality($1)
         order by p.ordinality
        $sql$,
        evervec.key_call(v_source, 'e', true), evervec.qualified_name(v_source.target), evervec.key_match(v_source, 'e', true),
        v_source.vector_column);
end
$$;

comment on function evervec.known_result(text, vector, integer, real, jsonb[], name) is
$$Internal. Keys, similarities and distances that a search like this had before, NULL where they do not hold any more or were not kept; the text of the query over them ($1, $2, $3) that gives the rows, all or none. Raises VE101.$$;

revoke execute on function evervec.known_result(text, vector, integer, real, jsonb[], name) from public;

-- file: functions/cache/note_change.sql
-- note_change: says that vectors of a source were stored, so that results of searches kept from before are not used any more.
--
-- An append, which waits for nobody and lets nobody wait. Vectors that only go away need none: a result that has lost a row is short.
-- Locks:  none.
create or replace function evervec.note_change(p_source_id integer)
returns void
language sql
set search_path from current
as $$
    insert into evervec.source_change (source_id) values (p_source_id)
$$;

comment on function evervec.note_change(integer) is
$$Internal. Notes that this transaction stored vectors of a source.$$;

revoke execute on function evervec.note_change(integer) from public;

-- file: functions/cache/query_hash.sql
-- query_hash: what a query is known by: the SHA-256 of all that decides its vector, the words as they are sent among it.
--
-- Many models place the same words elsewhere as a document than as a query.
--
-- A model never changes under its name but by hand; then its former queries are not found any more.
-- Locks:  none.
create or replace function evervec.query_hash(p_model evervec.model, p_query text, p_kind text default 'query')
returns bytea
language sql stable
set search_path from current
as $$
    select sha256(convert_to(
        jsonb_build_array(p_model.provider, p_model.provider_model, p_model.request, p_kind,
                          case p_kind when 'query' then p_model.query_prefix else p_model.document_prefix end || p_query)::text, 'UTF8'))
     where p_query is not null
$$;

comment on function evervec.query_hash(evervec.model, text, text) is
$$Internal. SHA-256 of a query (or document) with its prefix, and of what is sent with it; NULL for a NULL query.$$;

revoke execute on function evervec.query_hash(evervec.model, text, text) from public;

-- file: functions/control/doctor.sql
-- doctor: what is wrong, each with a sentence and the statement that mends it.
--
-- One function a check (doctor_*). Where a table is gone, its key is another one, privileges are lost, or the source is suspended, further
-- checks of that source would only find the same thing again. A check that fails itself is a finding, too.
-- Locks:  ACCESS SHARE on what the recipes read.
-- Raises: VE101 unknown source
create or replace function evervec.doctor(p_source text default null)
returns table (source text, finding text, severity text, problem text, remedy text)
language plpgsql volatile security definer
set search_path from current
set lock_timeout = '500ms'
as $$
declare
    v_source evervec.source;
    v_check  text;
    v_found  bigint;
begin
    if p_source is not null then
        perform evervec.source_named(p_source);
    end if;
    for v_source in select * from evervec.source s where p_source is null or s.name = p_source order by s.name loop
        foreach v_check in array array['tables', 'key', 'state', 'privileges', 'protection', 'model', 'budget', 'triggers', 'index', 'lists', 'vectors', 'leases', 'updates', 'children', 'recipe', 'filters', 'signals', 'words'] loop
            begin
                return query execute format('select $1, f.finding, f.severity, f.problem, f.remedy from evervec.%I($2) f', 'doctor_' || v_check)
                using v_source.name, v_source;
                get diagnostics v_found = row_count;
            exception when others then
                source := v_source.name;
                finding := 'check failed';
                severity := 'error';
                problem := format('The check of %s failed: %s.', v_check, rtrim(sqlerrm, '.'));
                remedy := format('select evervec.retrack(%L);', v_source.name);
                return next;
                v_found := 0;
            end;
            exit when v_found > 0 and (v_check in ('tables', 'key', 'privileges') or v_check = 'state' and v_source.state = 'suspended');
        end loop;
    end loop;
    if p_source is null then
        return query select null, f.* from evervec.doctor_log() f;
        return query select null, f.* from evervec.doctor_maintenance() f;
        return query select null, f.* from evervec.doctor_push() f;
        return query select null, f.* from evervec.doctor_access() f;
        return query select null, f.* from evervec.doctor_pgvector() f;
    end if;
end
$$;

comment on function evervec.doctor(text) is
$$Looks for what is wrong with a source, or (NULL) with all and the database: missing or disabled triggers, broken recipes, filters and signals, dropped tables, changed keys, missing, invalid or former indexes, lists of ivfflat that do not fit, many dead vectors, stuck leases, a spent budget, a growing log, failing upkeep, lost privileges, rights that grant_access gave and that are gone, vectors without the row-level security of their table, an old pgvector. severity: error, advice, or info (by what the webhook is rung); problem: a sentence; remedy: the statement that mends it. No rows: all is well. Raises VE101.$$;

revoke execute on function evervec.doctor(text) from public;

-- file: functions/control/doctor_access.sql
-- doctor_access: finding: rights that grant_access gave and that are gone, as when a migration has made a function anew.
--
-- Locks:  none.
-- needs: functions/access/missing_rights.sql
create or replace function evervec.doctor_access()
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'rights missing', 'error',
           format('%s lacks rights that grant_access gave: %s.', m.role, string_agg(format('%s on %s', m.privilege, m.object), ', ' order by m.object)),
           'select evervec.renew_access();'
      from evervec.missing_rights() m
     group by m.role
$$;

comment on function evervec.doctor_access() is
$$Internal. Finding of doctor: roles that lack rights of their kinds of access.$$;

revoke execute on function evervec.doctor_access() from public;

-- file: views/budget_status.sql
-- budget_status: every budget, and how much of it is spent today.
--
-- Constant in time: a day has one row of evervec.spending a source and model. claim_jobs asks this at every call.
create or replace view evervec.budget_status as
select m.name as model,
       s.name as source,
       b.tokens_a_day,
       b.cost_a_day,
       coalesce(t.tokens, 0) as tokens_today,
       coalesce(t.cost, 0) as cost_today,
       coalesce(t.tokens >= b.tokens_a_day, false) or coalesce(t.cost >= b.cost_a_day, false) as spent
  from evervec.budget b
  left join evervec.model m using (model_id)
  left join evervec.source s using (source_id)
  cross join lateral (
    select sum(p.tokens)::bigint as tokens, sum(p.cost) as cost
      from evervec.spending p
     where p.day = (now() at time zone 'UTC')::date and (p.model = m.name or p.source = s.name)
  ) t;

comment on view evervec.budget_status is
$$One row a budget (see set_budget), of a model or of a source: what may be spent on a day, what is spent today (UTC), and whether its jobs wait for midnight UTC. A day's sums grow with each batch that is done; requests in flight are not counted.$$;
comment on column evervec.budget_status.model is $$The model whose budget it is; NULL: a source's.$$;
comment on column evervec.budget_status.source is $$The source whose budget it is; NULL: a model's.$$;
comment on column evervec.budget_status.tokens_a_day is $$Tokens that may be spent on a day; NULL: any number.$$;
comment on column evervec.budget_status.cost_a_day is $$Money that may be spent on a day, in the currency of the model's price; NULL: any sum.$$;
comment on column evervec.budget_status.tokens_today is $$Tokens of today, as the provider counted them.$$;
comment on column evervec.budget_status.cost_today is $$Cost of today, at the price that the model had.$$;
comment on column evervec.budget_status.spent is $$Whether nothing more is given out until midnight UTC.$$;

-- file: functions/control/doctor_budget.sql
-- doctor_budget: finding: a source whose budget of the day, or whose model's, is spent.
--
-- Locks:  none.
-- needs: views/budget_status.sql
create or replace function evervec.doctor_budget(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'budget spent', 'advice',
           format('The budget of %s is spent (%s): nothing of "%s" is embedded until midnight UTC. The remedy allows as much again.',
                  case when b.source is null then format('model "%s"', b.model) else 'the day' end,
                  concat_ws(' and ', format('%s of %s tokens', b.tokens_today, b.tokens_a_day), format('cost %s of %s', b.cost_today, b.cost_a_day)),
                  p_source.name),
           format('select evervec.set_budget(%s);', concat_ws(', ',
                'p_model => ' || quote_literal(b.model),
                'p_source => ' || quote_literal(b.source),
                'p_tokens_a_day => ' || (b.tokens_today + b.tokens_a_day),
                'p_cost_a_day => ' || (b.cost_today + b.cost_a_day)))
      from evervec.budget_status b
      join evervec.model m on m.model_id = p_source.model_id
     where b.spent and (b.source = p_source.name or b.model = m.name) and p_source.storage <> 'manual'
$$;

comment on function evervec.doctor_budget(evervec.source) is
$$Internal. Finding of doctor: a budget that is spent.$$;

revoke execute on function evervec.doctor_budget(evervec.source) from public;

-- file: functions/track/key_list.sql
-- key_list: the key columns of a source as a list, for generated SQL: s.id, s.lang.
--
-- Locks:  none.
create or replace function evervec.key_list(
    p_source evervec.source,
    p_alias  text,
    p_target boolean default false
)
returns text
language sql immutable
set search_path from current
as $$
    select string_agg(concat_ws('.', p_alias, quote_ident(c.name)), ', ' order by c.ordinality)
      from unnest(case when p_target then p_source.target_key_columns else p_source.key_columns end)
           with ordinality as c (name, ordinality)
$$;

comment on function evervec.key_list(evervec.source, text, boolean) is
$$Internal. Key columns of the source (or of its embedding table) behind an alias, NULL for none, as a list.$$;

revoke execute on function evervec.key_list(evervec.source, text, boolean) from public;

-- file: functions/core/bm25_schema.sql
-- bm25_schema: the schema of pg_textsearch; NULL where that extension is not installed in this database.
--
-- Locks:  none.
create or replace function evervec.bm25_schema()
returns name
language sql stable
set search_path from current
as $$
    select n.nspname
      from pg_extension x
      join pg_namespace n on n.oid = x.extnamespace
     where x.extname = 'pg_textsearch'
$$;

comment on function evervec.bm25_schema() is
$$Internal. The schema of the extension pg_textsearch, whose BM25 ranks texts; NULL without it.$$;

revoke execute on function evervec.bm25_schema() from public;

-- file: functions/track/default_precision.sql
-- default_precision: the precision of a source's index where none is asked for: the finest that its vectors allow.
--
-- Locks:  none.
create or replace function evervec.default_precision(p_source evervec.source)
returns text
language sql stable
set search_path from current
as $$
    select case when p_source.vector_type = 'vector' and m.dimensions <= 2000 then 'full'
                when m.dimensions <= 4000 then 'half'
                else 'bit' end
      from evervec.model m
     where m.model_id = p_source.model_id
$$;

comment on function evervec.default_precision(evervec.source) is
$$Internal. full, half or bit, from the dimensions and the type of a source's vectors.$$;

revoke execute on function evervec.default_precision(evervec.source) from public;

-- file: functions/control/track_statement.sql
-- track_statement: the call of track that would make a source again as it is.
--
-- Locks:  none.
-- needs: functions/core/qualified_name.sql
-- needs: functions/core/bm25_schema.sql
-- needs: functions/track/default_precision.sql
create or replace function evervec.track_statement(
    p_source   evervec.source,
    p_relation text default null,
    p_name     text default null
)
returns text
language sql stable
set search_path from current
as $$
    select 'evervec.track(' || concat_ws(', ',
        quote_literal(coalesce(p_relation, evervec.qualified_name(p_source.relation), p_source.relation_name)),
        'p_columns => ' || quote_literal(p_source.columns),
        'p_template => ' || quote_literal(p_source.template),
        'p_text_sql => ' || quote_literal(p_source.text_sql),
        'p_where => ' || quote_literal(p_source.condition),
        'p_depends_on => ' || quote_literal(nullif(p_source.depends_on, '{}')),
        'p_model => ' || quote_literal((select m.name from evervec.model m where m.model_id = p_source.model_id)),
        'p_name => ' || quote_literal(coalesce(p_name, p_source.name)),
        'p_distance => ' || quote_literal(nullif(p_source.distance, 'cosine')),
        'p_index => ' || quote_literal(nullif(p_source.index_method, 'hnsw')),
        'p_precision => ' || quote_literal(nullif(p_source.index_precision, evervec.default_precision(p_source))),
        'p_vector_type => ' || quote_literal(nullif(p_source.vector_type, 'vector')),
        'p_index_options => ' || quote_literal(nullif(p_source.index_options, '{}')),
        'p_priority => ' || quote_literal(coalesce(p_source.priority_sql, nullif(p_source.priority, 5)::text)),
        'p_storage => ' || quote_literal(nullif(p_source.storage, 'table')),
        'p_too_long => ' || quote_literal(nullif(p_source.too_long, 'cut')),
        case when not p_source.cache then 'p_cache => false' end,
        'p_return_columns => ' || quote_literal(nullif(p_source.return_columns, '{}')),
        'p_text_search => ' || quote_literal(p_source.text_search),
        case when p_source.text_search is not null then 'p_bm25 => ' || nullif(p_source.bm25, evervec.bm25_schema() is not null) end,
        'p_retention => ' || quote_literal(p_source.retention),
        case when p_source.storage = 'column' then 'p_storage_columns => ' || quote_literal(jsonb_strip_nulls(jsonb_build_object(
            'embedding', p_source.vector_column, 'model', p_source.model_column, 'version', p_source.version_column,
            'hash', p_source.hash_column, 'time', p_source.time_column))) end,
        case when p_source.foreign_key then 'p_foreign_key => true' end) || ')'
$$;

comment on function evervec.track_statement(evervec.source, text, text) is
$$Internal. SQL of the call of track that makes a source like this one, for its own table and under its own name unless others are given.$$;

revoke execute on function evervec.track_statement(evervec.source, text, text) from public;

-- file: functions/control/doctor_children.sql
-- doctor_children: finding: tables that inherit from a tracked one, whose rows are not tracked with it.
--
-- Locks:  none.
-- needs: functions/track/key_list.sql
-- needs: functions/core/qualified_name.sql
-- needs: functions/control/track_statement.sql
create or replace function evervec.doctor_children(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    with recursive child as (
        select i.inhrelid as relation from pg_inherits i where i.inhparent = p_source.relation
        union
        select i.inhrelid from pg_inherits i join child c on c.relation = i.inhparent
    )
    select 'untracked child', 'advice',
           format('%s inherits from %s; its rows have no vectors.', c.relation::regclass, p_source.relation_name),
           case when exists (select from pg_index i where i.indrelid = c.relation and i.indisprimary)
                then format('select %s;', evervec.track_statement(p_source, evervec.qualified_name(c.relation), k.relname))
                else format('alter table %s add primary key (%s);', evervec.qualified_name(c.relation), evervec.key_list(p_source, null)) end
      from child c
      join pg_class k on k.oid = c.relation and k.relkind = 'r'
     where p_source.relation_kind = 'r'
       and not exists (select from evervec.source s where s.relation = c.relation)
$$;

comment on function evervec.doctor_children(evervec.source) is
$$Internal. Finding of doctor: inheritance children that are not tracked.$$;

revoke execute on function evervec.doctor_children(evervec.source) from public;

-- file: functions/control/doctor_filters.sql
-- doctor_filters: finding: a filter whose condition names what is not there any more.
--
-- PostgreSQL parses the condition again and plans nothing, because planning would run what others have put into indexes and policies.
-- Locks:  none.
create or replace function evervec.doctor_filters(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language plpgsql volatile
set search_path from current
set check_function_bodies = on
as $$
declare
    v_filter evervec.filter;
    v_error  text;
begin
    for v_filter in select * from evervec.filter f where f.source_id = p_source.source_id order by f.name loop
        select 'function evervec.' || quote_ident(n.name) || ' is not there'
          into v_error
          from unnest(evervec.filter_functions(p_source.name, v_filter.name)) as n (name)
         where (p_source.text_search is not null or n.name <> format('hybrid_search_%s_%s', p_source.name, v_filter.name))
           and not exists (select from pg_proc p where p.pronamespace = 'evervec'::regnamespace and p.proname = n.name)
         limit 1;
        if v_error is null then
            begin
                perform fmgr_sql_validator(p.oid)
                   from pg_proc p
                  where p.pronamespace = 'evervec'::regnamespace
                    and p.proname = format('filter_%s_%s', p_source.name, v_filter.name);
            exception when others then
                v_error := sqlerrm;
            end;
        end if;
        if v_error is not null then
            return query
            select 'broken filter', 'error',
                   format('Filter "%s" of "%s" fails: %s. Correct the condition in the remedy.', v_filter.name, p_source.name, rtrim(v_error, '.')),
                   format('select evervec.drop_filter(%1$L, %2$L); select evervec.add_filter(%1$L, %2$L, %3$L, %4$L);',
                          p_source.name, v_filter.name, v_filter.condition,
                          array(select format('%s %s', p.name, p.type)
                                  from unnest(v_filter.parameter_names, v_filter.parameter_types) with ordinality
                                       as p (name, type, ordinality) order by p.ordinality));
        end if;
    end loop;
end
$$;

comment on function evervec.doctor_filters(evervec.source) is
$$Internal. Finding of doctor: a filter that fails whatever the row.$$;

revoke execute on function evervec.doctor_filters(evervec.source) from public;

-- file: functions/search/metric.sql
-- metric: what belongs to a distance: pgvector's operator and operator class, and how similarity is read off it.
--
-- Locks:  none.
create or replace function evervec.metric(
    p_distance         text,
    out operator       text,
    out operator_class text,
    out similarity     text
)
language sql stable
set search_path from current
as $$
    select format(m.operator, n.nspname), m.operator_class, m.similarity
      from (values
        ('cosine',        'operator(%1$I.<=>)', 'vector_cosine_ops', '1 - %s'),
        ('l2',            'operator(%1$I.<->)', 'vector_l2_ops',     '1 / (1 + %s)'),
        ('inner_product', 'operator(%1$I.<#>)', 'vector_ip_ops',     '-(%s)'),
        ('l1',            'operator(%1$I.<+>)', 'vector_l1_ops',     '1 / (1 + %s)')
      ) as m (distance, operator, operator_class, similarity)
      join pg_extension x on x.extname = 'vector'
      join pg_namespace n on n.oid = x.extnamespace
     where m.distance = p_distance
$$;

comment on function evervec.metric(text) is
$$Internal. Operator, operator class and similarity expression (%s is the distance) of cosine, l2, inner_product or l1.$$;

revoke execute on function evervec.metric(text) from public;

-- file: functions/search/comparison.sql
-- comparison: how the vectors of a source are compared with a query vector: exactly, and as an index of a given precision orders them.
--
-- The index of precision full, or half where the vectors are stored as halfvec, orders by the distance itself. Others know an image of each
-- vector: of half as many bytes, or the signs of its members alone. There an index gives so many times more rows than are wanted (pool), whose
-- distances are then computed from the vectors themselves. All names are qualified, because bodies of text are made of these pieces.
--
-- p_vector, p_query: SQL of the row's vector, and of the query vector, which is of type vector, or of that of the column
-- Locks:  none.
-- needs: functions/search/metric.sql
create or replace function evervec.comparison(
    p_source           evervec.source,
    p_precision        text,
    p_vector           text,
    p_query            text,
    out distance       text,
    out ordering       text,
    out indexed        text,
    out operator_class text,
    out similarity     text,
    out pool           integer
)
language sql stable
set search_path from current
as $$
    select format('%s %s %s', p_vector, x.operator, q.query),
           case when i.image is null then format('%s %s %s', p_vector, x.operator, q.query)
                else format('(%s) %s (%s)', format(i.image, p_vector), i.operator, format(i.image, p_query)) end,
           case when i.image is null then p_vector else '(' || format(i.image, p_vector) || ')' end,
           case p_precision when 'bit' then 'bit_hamming_ops' when 'half' then replace(x.operator_class, 'vector', 'halfvec') else x.operator_class end,
           x.similarity,
           case when p_precision = 'bit' then coalesce((p_source.index_options ->> 'rerank')::integer, 20) else 1 end
      from evervec.metric(p_source.distance) x
      join pg_extension e on e.extname = 'vector'
      join pg_namespace n on n.oid = e.extnamespace
      join evervec.model m on m.model_id = p_source.model_id
      cross join lateral (select case when p_source.vector_type = 'vector' then p_query
                                      else format('%s::%I.halfvec(%s)', p_query, n.nspname, m.dimensions) end as query) q
      cross join lateral (
        select case when p_precision = 'bit' then format('%I.binary_quantize(%%s)::bit(%s)', n.nspname, m.dimensions)
                    when p_precision = 'half' and p_source.vector_type = 'vector' then format('%%s::%I.halfvec(%s)', n.nspname, m.dimensions) end as image,
               case when p_precision = 'bit' then format('operator(%I.<~>)', n.nspname) else x.operator end as operator) i
$$;

comment on function evervec.comparison(evervec.source, text, text, text) is
$$Internal. SQL of the exact distance of p_vector to p_query, of what an index of that precision orders by, and of what it indexes with which operator class; the similarity (%s is the distance); pool: how many times more rows than wanted the index is asked for.$$;

revoke execute on function evervec.comparison(evervec.source, text, text, text) from public;

-- file: functions/index/fitting_lists.sql
-- fitting_lists: how many lists an ivfflat index over as many rows as a table has now should have.
--
-- pgvector's advice: a thousandth of the rows, from a million on their root; never fewer than ten.
-- Locks:  none.
-- needs: functions/queue/estimated_rows.sql
create or replace function evervec.fitting_lists(p_target regclass)
returns integer
language sql stable
set search_path from current
as $$
    select greatest(10, least(32768, case when r.vectors <= 1e6 then r.vectors / 1000 else sqrt(r.vectors) end))::integer
      from (select coalesce(evervec.estimated_rows(p_target), 0)::double precision as vectors) r
$$;

comment on function evervec.fitting_lists(regclass) is
$$Internal. The number of lists of an ivfflat index over the rows of a table.$$;

revoke execute on function evervec.fitting_lists(regclass) from public;

-- file: functions/index/vector_indexes.sql
-- vector_indexes: the indexes over the vectors of a source, whoever made them, and which are as the source wants its own.
--
-- ours: in a table of evervec's own every one. Of those on a table of the user's nobody knows who made them.
-- lists of ivfflat that were chosen for other rows than there are now by a factor of four do not fit; those that somebody has set do.
-- With evervec's own rights: status shows it to many.
-- Locks:  none.
-- needs: functions/search/comparison.sql
-- needs: functions/index/fitting_lists.sql
create or replace function evervec.vector_indexes(p_source evervec.source)
returns table (index regclass, valid boolean, fits boolean, ours boolean)
language sql stable security definer
set search_path from current
as $$
    select i.indexrelid::regclass, i.indisvalid,
           a.amname = p_source.index_method
           and o.opcname = (evervec.comparison(p_source, p_source.index_precision, '', '')).operator_class
           and (select coalesce(bool_and(w.name || '=' || w.value = any (coalesce(c.reloptions, '{}'))), true)
                  from jsonb_each_text(p_source.index_options - 'rerank') as w (name, value))
           and (a.amname <> 'ivfflat' or p_source.index_options ? 'lists'
                or (select l.lists::numeric / evervec.fitting_lists(p_source.target) between 0.25 and 4
                      from (select coalesce(substring(c.reloptions::text from 'lists=(\d+)')::integer, 100) as lists) l)),
           p_source.storage <> 'column'
      from pg_index i
      join pg_class c on c.oid = i.indexrelid
      join pg_am a on a.oid = c.relam and a.amname in ('hnsw', 'ivfflat')
      join pg_opclass o on o.oid = i.indclass[0]
      join pg_attribute t on t.attrelid = i.indrelid and t.attname = p_source.vector_column
     where i.indrelid = p_source.target and i.indpred is null
       and exists (select from pg_depend d
                    where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
                      and d.refclassid = 'pg_class'::regclass and d.refobjid = i.indrelid and d.refobjsubid = t.attnum)
$$;

comment on function evervec.vector_indexes(evervec.source) is
$$Internal. The indexes over the vectors of a source: whether each is valid, is as the source wants its own, and may be dropped by evervec.$$;

revoke execute on function evervec.vector_indexes(evervec.source) from public;

-- file: functions/control/doctor_lists.sql
-- doctor_lists: finding: an ivfflat index whose lists were chosen for four times as many rows as there are, or for a quarter.
--
-- Too few lists make searches slow, too many make them miss rows. Those that evervec chose are chosen anew by the next build.
-- Locks:  none.
-- needs: functions/index/vector_indexes.sql
-- needs: functions/index/fitting_lists.sql
create or replace function evervec.doctor_lists(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'unfit lists', 'advice',
           format('The index of "%s" has %s lists; for its rows there should be about %s. %s', p_source.name, l.lists, l.fitting,
                  case when p_source.index_options ? 'lists' then 'They were set: without, evervec chooses them.' else 'A worker builds it anew.' end),
           case when p_source.index_options ? 'lists'
                then format('select evervec.retrack(%L, p_index_options => %L);', p_source.name, p_source.index_options - 'lists')
                else format('select evervec.build_index(%L);', p_source.name) end
      from evervec.vector_indexes(p_source) x
      join pg_class c on c.oid = x.index and x.valid
      join pg_am a on a.oid = c.relam and a.amname = 'ivfflat'
      cross join lateral (select coalesce(substring(c.reloptions::text from 'lists=(\d+)')::integer, 100) as lists,
                                 evervec.fitting_lists(p_source.target) as fitting) l
     where p_source.index_method = 'ivfflat' and not l.lists::numeric / l.fitting between 0.25 and 4
$$;

comment on function evervec.doctor_lists(evervec.source) is
$$Internal. Finding of doctor: lists of ivfflat that do not fit the number of rows by a factor of four.$$;

revoke execute on function evervec.doctor_lists(evervec.source) from public;

-- file: functions/index/index_due.sql
-- index_due: whether an index of a source is missing and should be built now.
--
-- One build over everything costs far less than as many inserts into a standing index, so it is put off until a fill is all but over.
-- Where writes never let the queue become that short, it is due all the same, some time after the last slice of a pass. That of the words,
-- which costs an insert little, is due once that of the vectors stands, and so is having searches use a new one; that of their texts is put off as well.
-- Locks:  none.
create or replace function evervec.index_due(p_source evervec.source)
returns boolean
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_index record;
    v_most  bigint;
    v_any   boolean;
begin
    select * into v_index from evervec.wanted_index(p_source);
    if v_index.column_name is null or v_index.building
       or not exists (select from pg_class c where c.oid = p_source.target) then
        return false;
    elsif v_index.column_name = 'document' or v_index.step = 'replace' then
        return true;
    end if;
    if p_source.pass_at > now() - evervec.setting_interval('index_wait', '15 minutes') then
        v_most := 0.05 * evervec.estimated_rows(p_source.target);
        if p_source.pass_kind is not null or v_most < (
            select count(*)
              from (select from evervec.processing_queue q where q.source_id = p_source.source_id
                    union all
                    select from evervec.change_log l where l.source_id = p_source.source_id
                    limit v_most + 1) w) then
            return false;
        end if;
    end if;
    execute format('select exists (select from evervec.%I(1))', 'hashes_' || p_source.name) into v_any;
    return v_any;
exception when insufficient_privilege or undefined_function or undefined_table or undefined_column then
    -- alerts and doctor answer whatever is broken, and tell that elsewhere.
    return false;
end
$$;

comment on function evervec.index_due(evervec.source) is
$$Internal. Whether an index of a source is missing or invalid, nobody is building it, and it is time to: it is that of the words, or there are vectors, and no pass and at most a twentieth as much work is left, or the last pass moved longer ago than the setting index_wait.$$;

revoke execute on function evervec.index_due(evervec.source) from public;

-- file: functions/index/running_build.sql
-- running_build: who builds an index of a table without blocking its writers, which one, and how far that is.
--
-- Everybody sees that somebody does, but not everybody which one and how far: who builds holds a lock on the table.
-- Locks:  none.
create or replace function evervec.running_build(
    p_target     regclass,
    out pid      integer,
    out index    oid,
    out phase    text,
    out progress real
)
language sql stable
set search_path from current
as $$
    select p.pid, nullif(p.index_relid, 0), p.phase,
           case when p.phase in ('initializing', 'waiting for writers before build') then 0
                when p.phase like 'building index%' then coalesce(least(p.blocks_done::real / nullif(p.blocks_total, 0), 0.99), 0)
                -- What remains is checked in one more scan, and waits for older transactions.
                when p.phase is not null then 0.99 end
      from pg_stat_progress_create_index p
      join pg_locks l on l.pid = p.pid and l.database = p.datid
     where p.datname = current_database()
       and l.relation = p_target and l.mode = 'ShareUpdateExclusiveLock' and l.granted
     limit 1
$$;

comment on function evervec.running_build(regclass) is
$$Internal. CREATE INDEX CONCURRENTLY or REINDEX CONCURRENTLY on a table: the backend, and, NULL where the caller may not see them, the index, the phase, and how much is done (0 to 0.99). NULLs when there is none.$$;

revoke execute on function evervec.running_build(regclass) from public;

-- file: functions/index/index_of.sql
-- index_of: the vector index of a source, or that of its words, if there is one, and whether it can be used; if not yet, how far its build is.
--
-- While another one takes its place it is that one, once it is there.
-- Locks:  none.
-- needs: functions/index/running_build.sql
-- needs: functions/index/vector_indexes.sql
create or replace function evervec.index_of(
    p_source     evervec.source,
    p_column     text default null,
    out index    regclass,
    out valid    boolean,
    out building boolean,
    out progress real
)
language sql stable
set search_path from current
as $$
    select x.index, x.valid, b.pid is not null, b.progress
      from (
        select u.index, u.valid
          from (
            select v.index, v.valid, v.fits from evervec.vector_indexes(p_source) v where coalesce(p_column, p_source.vector_column) = p_source.vector_column
            union all
            select i.indexrelid::regclass, i.indisvalid, true
              from pg_index i
              join pg_class c on c.oid = i.indexrelid
              join pg_am a on a.oid = c.relam
              join pg_attribute t on t.attrelid = i.indrelid and t.attnum = i.indkey[0] and t.attname = p_column
             where i.indrelid = p_source.target and a.amname in ('gin', 'bm25')
          ) u
         order by u.valid and u.fits desc, u.valid
         limit 1
      ) x
      left join lateral (select r.* from evervec.running_build(p_source.target) r where not x.valid) b on true
$$;

comment on function evervec.index_of(evervec.source, text) is
$$Internal. The vector index, or (p_column: document, document_text) that of the words or their texts, on a source's embedding table, whether it is valid, and if not whether it is being built concurrently and how far that is (0 to 0.99, NULL where the caller may not see it); NULLs when there is none.$$;

revoke execute on function evervec.index_of(evervec.source, text) from public;

-- file: functions/index/wanted_index.sql
-- wanted_index: the next step towards the indexes that a source should have: that of its vectors before those of its words.
--
-- drop     an invalid one, which a killed build has left
-- create   one that is missing; a former one that it is to replace stands and is used meanwhile
-- replace  have searches use the new one, and drop those that nothing uses any more (replace_index)
--
-- One at a time, because two builds on a table would wait for each other. While somebody builds, what is invalid may be what is being built:
-- beside a valid one, too, by REINDEX CONCURRENTLY.
-- Locks:  none.
-- needs: functions/index/index_of.sql
-- needs: functions/index/running_build.sql
-- needs: functions/index/vector_indexes.sql
-- needs: functions/core/bm25_schema.sql
create or replace function evervec.wanted_index(
    p_source        evervec.source,
    out column_name text,
    out step        text,
    out index       regclass,
    out building    boolean
)
language sql stable
set search_path from current
as $$
    select w.column_name, w.step, case when w.step = 'drop' then w.index end, w.step = 'drop' and (evervec.running_build(p_source.target)).pid is not null
      from (
        select 1 as ordinal, p_source.vector_column as column_name, v.index,
               case when v.index is not null then 'drop'
                    when p_source.index_method <> 'none' and not v.stands then 'create'
                    when v.surplus or (p_source.search_method, p_source.search_precision) <> (p_source.index_method, p_source.index_precision)
                    then 'replace' end as step
          from (
            select (array_agg(x.index order by x.index::oid) filter (where not x.valid))[1] as index,
                   coalesce(bool_or(x.valid and x.fits), false) as stands,
                   coalesce(bool_or(x.valid and x.ours and not x.fits), false) as surplus
              from evervec.vector_indexes(p_source) x
          ) v
        union all
        select c.ordinal, c.column_name, x.index, case when x.index is null then 'create' when not x.valid then 'drop' end
          from (values (2, 'document', p_source.text_search is not null),
                       (3, 'document_text', p_source.bm25 and evervec.bm25_schema() is not null)) as c (ordinal, column_name, wanted)
          cross join lateral evervec.index_of(p_source, c.column_name) x
         where c.wanted
      ) w
     where w.step is not null
     order by w.ordinal
     limit 1
$$;

comment on function evervec.wanted_index(evervec.source) is
$$Internal. The next step towards the indexes of a source: over which column, whether to drop, create or replace; the invalid index to drop, and whether somebody is building; NULLs when nothing is left to do.$$;

revoke execute on function evervec.wanted_index(evervec.source) from public;

-- file: functions/control/doctor_index.sql
-- doctor_index: finding: an index that is missing although there is much to search, that a killed build left invalid, or that is to be replaced.
--
-- Under 10,000 vectors an exact search takes milliseconds: advice. While most is still to be embedded none is wanted yet.
-- Locks:  none.
-- needs: functions/control/doctor_lists.sql
-- needs: functions/index/index_due.sql
-- needs: functions/index/index_of.sql
-- needs: functions/index/wanted_index.sql
-- needs: functions/queue/estimated_rows.sql
create or replace function evervec.doctor_index(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select case when w.step = 'drop' then 'invalid index' when i.index is null then 'missing index' else 'former index' end,
           case when i.valid or i.index is null and (v.vectors < 10000 or w.column_name = 'document_text') then 'advice' else 'error' end,
           case when w.step = 'drop' and i.valid
                then format('Index %s of "%s" is invalid: a build that was killed has left it, searches do not use it, and writes pay for it. A worker drops it.', w.index, p_source.name)
                when i.valid
                then format('Searches of "%s" use an index that is not what the source wants now, until the other one is built. A worker builds it without blocking anybody.', p_source.name)
                else format('The %s of "%s" (about %s) have no %sindex: %s. A worker builds it without blocking anybody.',
                            case w.column_name when 'document' then 'words' when 'document_text' then 'texts' else 'vectors' end, p_source.name, v.vectors,
                            case when i.index is null then '' else 'valid ' end,
                            case w.column_name when 'document_text' then 'ts_rank_cd ranks their words, not BM25' else 'every search reads them all' end) end,
           format('select evervec.build_index(%L);', p_source.name)
      from evervec.wanted_index(p_source) w
      cross join lateral evervec.index_of(p_source, w.column_name) i
      cross join lateral (select evervec.estimated_rows(p_source.target) as vectors) v
     where (w.column_name = p_source.vector_column and p_source.pass_kind is null and i.index is not null and not w.building
            or evervec.index_due(p_source))
       and not (i.valid and exists (select from evervec.doctor_lists(p_source)))
$$;

comment on function evervec.doctor_index(evervec.source) is
$$Internal. Finding of doctor: a missing or invalid index, or one that is to be replaced.$$;

revoke execute on function evervec.doctor_index(evervec.source) from public;

-- file: functions/track/attribute_names.sql
-- attribute_names: the names that columns have now, by their numbers.
--
-- Locks:  none.
create or replace function evervec.attribute_names(p_relation regclass, p_attributes smallint[])
returns text[]
language sql stable
set search_path from current
as $$
    select array(
        select a.attname::text
          from unnest(p_attributes) with ordinality as n (attnum, ordinality)
          join pg_attribute a on a.attrelid = p_relation and a.attnum = n.attnum and not a.attisdropped
         order by n.ordinality)
$$;

comment on function evervec.attribute_names(regclass, smallint[]) is
$$Internal. Present names of columns given by attnum, in their order; dropped ones are left out.$$;

revoke execute on function evervec.attribute_names(regclass, smallint[]) from public;

-- file: functions/track/attribute_numbers.sql
-- attribute_numbers: columns by their numbers, which a rename does not change.
--
-- Locks:  none.
create or replace function evervec.attribute_numbers(p_relation regclass, p_columns text[])
returns smallint[]
language sql stable
set search_path from current
as $$
    select array(
        select a.attnum
          from unnest(p_columns) with ordinality as c (name, ordinality)
          join pg_attribute a on a.attrelid = p_relation and a.attname = c.name
         order by c.ordinality)
$$;

comment on function evervec.attribute_numbers(regclass, text[]) is
$$Internal. attnums of columns, in their order.$$;

revoke execute on function evervec.attribute_numbers(regclass, text[]) from public;

-- file: functions/track/primary_key.sql
-- primary_key: the columns of a table's primary key, in its order, and how each is written and compared.
--
-- as_text: the column's value goes into row_key as its text, under pinned settings; other values go in as JSON does them.
-- operator: the equality of the key's own index, so that citext and the like compare as their key does.
-- Locks:  none.
-- needs: functions/track/base_type.sql
create or replace function evervec.primary_key(p_relation regclass)
returns table (ordinal integer, column_name text, type_name text, as_text boolean, operator text)
language sql stable
set search_path from current
as $$
    select k.ordinality::integer,
           a.attname::text,
           format_type(a.atttypid, -1),
           not (b.typcategory in ('S', 'B', 'E')
                or b.oid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype, 'uuid'::regtype)),
           format('operator(%I.%s)', n.nspname, o.oprname)
      from pg_index i
      cross join unnest(i.indkey::smallint[], i.indclass::oid[]) with ordinality as k (attnum, opclass, ordinality)
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
      join pg_type t on t.oid = a.atttypid
      join pg_type b on b.oid = case t.typtype when 'd' then evervec.base_type(t.oid) else t.oid end
      join pg_opclass c on c.oid = k.opclass
      join pg_amop m on m.amopfamily = c.opcfamily and m.amopstrategy = 3
                    and m.amoplefttype = c.opcintype and m.amoprighttype = c.opcintype
      join pg_operator o on o.oid = m.amopopr
      join pg_namespace n on n.oid = o.oprnamespace
     where i.indrelid = p_relation and i.indisprimary
       and k.ordinality <= i.indnkeyatts
     order by k.ordinality
$$;

comment on function evervec.primary_key(regclass) is
$$Internal. Columns of the primary key: position, name, type, whether row_key holds the value as text, equality operator.$$;

revoke execute on function evervec.primary_key(regclass) from public;

-- file: functions/control/doctor_key.sql
-- doctor_key: finding: a source whose primary key is gone, or another one than its vectors are kept under.
--
-- Locks:  none.
-- needs: functions/track/attribute_names.sql
-- needs: functions/track/attribute_numbers.sql
-- needs: functions/track/primary_key.sql
-- needs: functions/core/qualified_name.sql
-- needs: functions/control/track_statement.sql
create or replace function evervec.doctor_key(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    with present as (
        select array(select k.column_name from evervec.primary_key(p_source.relation) k order by k.ordinal) as columns
    )
    select 'primary key dropped', 'error',
           format('%s has no primary key any more; vectors cannot be told to be of one row.', p_source.relation_name),
           format('alter table %s add primary key (%s);', evervec.qualified_name(p_source.relation), (
                select string_agg(quote_ident(k), ', ' order by n)
                  from unnest(evervec.attribute_names(p_source.relation, p_source.key_attributes)) with ordinality as u (k, n)))
      from present p
     where p.columns = '{}'
    union all
    select 'primary key changed', 'error',
           format('The primary key of %s is (%s) now, but its vectors are kept under another one. They have to be made, or brought, anew.',
                  p_source.relation_name, array_to_string(p.columns, ', ')),
           format('select evervec.untrack(%L, p_drop_vectors => true), %s;', p_source.name, evervec.track_statement(p_source))
      from present p
     where p.columns <> '{}' and evervec.attribute_numbers(p_source.relation, p.columns) <> p_source.key_attributes
$$;

comment on function evervec.doctor_key(evervec.source) is
$$Internal. Finding of doctor: a dropped or changed primary key.$$;

revoke execute on function evervec.doctor_key(evervec.source) from public;

-- file: functions/control/doctor_leases.sql
-- doctor_leases: finding: jobs whose lease ended long ago: nobody takes them back, so neither a worker nor a scheduler is running.
--
-- Locks:  none.
create or replace function evervec.doctor_leases(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'stuck leases', 'error',
           format('%s jobs of "%s" are leased to a worker whose time was up at %s; probably no worker is running.', count(*), p_source.name,
                  min(q.lease_expires_at)),
           'select * from evervec.tick();'
      from evervec.processing_queue q
     where q.source_id = p_source.source_id and q.status = 'processing' and q.lease_expires_at < now() - interval '10 minutes'
    having count(*) > 0
$$;

comment on function evervec.doctor_leases(evervec.source) is
$$Internal. Finding of doctor: leases that expired more than ten minutes ago.$$;

revoke execute on function evervec.doctor_leases(evervec.source) from public;

-- file: functions/control/doctor_log.sql
-- doctor_log: finding: a change log that grows because nobody folds it.
--
-- Locks:  none.
-- needs: functions/control/setting_number.sql
create or replace function evervec.doctor_log()
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'growing log', 'error',
           format('%s changes since %s have not been folded into the queue; probably no worker is running. Repeat the remedy until it folds 0.',
                  count(*), min(l.logged_at)),
           'select * from evervec.tick();'
      from evervec.change_log l
    having count(*) > evervec.setting_number('alert_change_log_rows', 100000)
$$;

comment on function evervec.doctor_log() is
$$Internal. Finding of doctor: a change log of more rows than setting alert_change_log_rows.$$;

revoke execute on function evervec.doctor_log() from public;

-- file: functions/control/doctor_maintenance.sql
-- doctor_maintenance: finding: upkeep that failed when a worker ran it last.
--
-- Locks:  none.
create or replace function evervec.doctor_maintenance()
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'failing upkeep', 'error',
           format('%s failed when it was last run: %s.', m.job, rtrim(m.error, '.')),
           format('select * from evervec.%I();', m.job)
      from evervec.maintenance m
     where m.error is not null
$$;

comment on function evervec.doctor_maintenance() is
$$Internal. Finding of doctor: upkeep that fails.$$;

revoke execute on function evervec.doctor_maintenance() from public;

-- file: functions/control/doctor_model.sql
-- doctor_model: finding: a source whose model is paused, by whom or by what.
--
-- A key or a quota is a finding until a success shows that it is mended, also between two attempts; a rate limit, which is
-- everyday, only when it has lasted for as long as evervec.setting says.
-- Locks:  none.
-- needs: functions/control/setting_interval.sql
create or replace function evervec.doctor_model(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select case m.pause_class when 'auth' then 'key refused' when 'quota' then 'quota used up' when 'rate_limit' then 'rate limited'
                              else 'model paused' end,
           'error',
           case m.pause_class
               when 'auth' then format('Model "%s" of provider "%s" has no valid key since %s', m.name, m.provider, m.paused_at)
               when 'quota' then format('The quota of model "%s" is used up since %s', m.name, m.paused_at)
               when 'rate_limit' then format('Model "%s" has been held back by rate limits since %s', m.name, m.paused_at)
               else format('Model "%s" is paused until %s', m.name, m.paused_until) end || coalesce(': ' || m.pause_reason, '') || '.',
           format('select evervec.resume_model(%L);', m.name)
      from evervec.model m
     where m.model_id = p_source.model_id
       and case when m.pause_class in ('auth', 'quota') then m.paused_until is not null
                when m.pause_class = 'rate_limit'
                    then m.paused_until > now() and m.paused_at < now() - evervec.setting_interval('alert_rate_limited', '15 minutes')
                else m.paused_until > now() end
$$;

comment on function evervec.doctor_model(evervec.source) is
$$Internal. Finding of doctor: a paused model, and why.$$;

revoke execute on function evervec.doctor_model(evervec.source) from public;

-- file: functions/control/doctor_pgvector.sql
-- doctor_pgvector: findings about pgvector: a version with faults that its users are exposed to, and a schema where everybody may put objects that would be taken for its own.
--
-- Locks:  none.
create or replace function evervec.doctor_pgvector()
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'old pgvector', 'advice',
           format('pgvector is %s. Mended since: %s. Upgrade its package first.', x.extversion, string_agg(f.fault, '; ' order by f.mended, f.fault)),
           'alter extension vector update;'
      from pg_extension x
      cross join lateral (select exists (select from evervec.source s where s.index_method = 'ivfflat')) as l (used)
      cross join lateral (values (array[0, 8, 2], true, 'a buffer overflow in parallel builds of hnsw, which crashes the server or tells what is in other tables (CVE-2026-3172)'),
                   (array[0, 8, 3], true, 'VACUUM can damage an hnsw index, which stays so until it is rebuilt'),
                   (array[0, 8, 3], current_setting('server_version_num')::integer >= 180000
                                    and exists (select from evervec.source s where s.index_precision = 'bit'), 'indexes of signs are slow on PostgreSQL 18'),
                   (array[0, 8, 4], true, 'VACUUM of an hnsw index can fail with "hnsw graph not repaired"'),
                   (array[0, 8, 4], l.used, 'a build of ivfflat takes more than maintenance_work_mem'),
                   (array[0, 8, 5], l.used and x.extversion = '0.8.4', 'a build of ivfflat over few rows wants memory for many'),
                   (array[0, 8, 6], l.used, 'near_duplicates over an ivfflat index takes ever more memory')) as f (mended, concerns, fault)
     where f.concerns and string_to_array(substring(x.extversion, '^\d+(?:\.\d+)*'), '.')::integer[] < f.mended and x.extname = 'vector'
     group by x.extversion
    union all
    select 'open schema', 'advice',
           format('Everybody may create objects in schema %I, where pgvector lives and every function of evervec looks names up.', n.nspname),
           format('revoke create on schema %I from public;', n.nspname)
      from pg_extension x
      join pg_namespace n on n.oid = x.extnamespace
     where x.extname = 'vector' and has_schema_privilege('public', n.oid, 'create')
$$;

comment on function evervec.doctor_pgvector() is
$$Internal. Findings of doctor about pgvector.$$;

revoke execute on function evervec.doctor_pgvector() from public;

-- file: functions/control/doctor_privileges.sql
-- doctor_privileges: finding: privileges that evervec needs for a source and has not any more.
--
-- Locks:  none.
-- needs: functions/core/qualified_name.sql
create or replace function evervec.doctor_privileges(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    with role as (
        select n.nspowner as evervec, c.relowner as owner, c.relrowsecurity and c.relforcerowsecurity as forced
          from pg_namespace n
          cross join pg_class c
         where n.nspname = 'evervec' and c.oid = p_source.relation
    )
    select 'membership lost', 'error',
           format('%s, who owns evervec, is not a member of %s, who owns %s, and can no longer care for its triggers and vectors.',
                  r.evervec::regrole, r.owner::regrole, p_source.relation_name),
           format('grant %s to %s;', r.owner::regrole, r.evervec::regrole)
      from role r
     where not pg_has_role(r.evervec, r.owner, 'usage')
    union all
    select 'owner changed', 'error',
           format('%s belongs to %s now, but its texts are made with the rights of %s.', p_source.relation_name, r.owner::regrole,
                  p.proowner::regrole),
           format('select evervec.retrack(%L);', p_source.name)
      from role r
      join pg_proc p on p.pronamespace = 'evervec'::regnamespace and p.proname = 'render_' || p_source.name
     where p.proowner <> r.owner
    union all
    select 'embedding table of another owner', 'error',
           format('%s, who owns %s, may not write its vectors into %s.', r.owner::regrole, p_source.relation_name, p_source.target_name),
           format('alter table %s owner to %s;', evervec.qualified_name(p_source.target), r.owner::regrole)
      from role r
     where p_source.storage <> 'column'
       and not (has_table_privilege(r.owner, p_source.target, 'select') and has_table_privilege(r.owner, p_source.target, 'insert')
                and has_table_privilege(r.owner, p_source.target, 'update') and has_table_privilege(r.owner, p_source.target, 'delete'))
    union all
    select 'row-level security', 'error',
           format('Row-level security is forced upon the owner of %s, so evervec does not see every row.', p_source.relation_name),
           format('alter table %s no force row level security;', evervec.qualified_name(p_source.relation))
      from role r
      join pg_roles o on o.oid = r.owner
     where r.forced and not (o.rolsuper or o.rolbypassrls)
$$;

comment on function evervec.doctor_privileges(evervec.source) is
$$Internal. Finding of doctor: lost privileges.$$;

revoke execute on function evervec.doctor_privileges(evervec.source) from public;

-- file: functions/control/doctor_protection.sql
-- doctor_protection: findings: vectors of a table with row-level security that are open to whoever may read them, or in sight of nobody.
--
-- Locks:  none.
-- needs: functions/access/is_protected.sql
create or replace function evervec.doctor_protection(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'unprotected vectors', 'error',
           format('%s has row-level security, %s has none: who may read that sees keys and vectors of every row.', p_source.relation_name,
                  p_source.target_name),
           format('select evervec.protect(%L);', p_source.name)
      from pg_class s
      join pg_class t on t.oid = p_source.target
     where s.oid = p_source.relation and p_source.storage <> 'column' and s.relrowsecurity and not t.relrowsecurity
    union all
    -- As DROP TABLE … CASCADE of what the policy asks, or somebody by hand, leaves it.
    select 'hidden vectors', 'advice',
           format('The policy of %s that asks who sees a row is gone: only its owner sees vectors.', p_source.target_name),
           format('select evervec.protect(%L);', p_source.name)
     where p_source.state <> 'suspended' and evervec.is_protected(p_source)
       and not exists (select from pg_policy p where p.polrelid = p_source.target and p.polname = 'evervec_visible')
$$;

comment on function evervec.doctor_protection(evervec.source) is
$$Internal. Findings of doctor: an embedding table without the row-level security that its source has, or without the policy that shows anything.$$;

revoke execute on function evervec.doctor_protection(evervec.source) from public;

-- file: functions/core/trusted_function.sql
-- trusted_function: a function of an extension that may or may not be there, found by name and types, for calls at run time.
--
-- Not by the extension, which a service may have built in under another name; but only what a superuser owns, or we ourselves: anybody
-- else's would run with our rights.
-- Locks:  none.
create or replace function evervec.trusted_function(p_name name, variadic p_types name[])
returns regproc
language sql stable
set search_path from current
as $$
    select p.oid::regproc
      from pg_proc p
      join pg_roles o on o.oid = p.proowner
     where p.proname = p_name
       and p_types = array(select t.typname from unnest(p.proargtypes) with ordinality as a (oid, n) join pg_type t on t.oid = a.oid order by a.n)
       and (o.rolsuper or o.rolname = current_user)
       and has_schema_privilege(p.pronamespace, 'usage') and has_function_privilege(p.oid, 'execute')
     order by p.oid
     limit 1
$$;

comment on function evervec.trusted_function(name, name[]) is
$$Internal. The function of that name with parameters of these types, if the current role may call it and its owner can be trusted; NULL otherwise.$$;

revoke execute on function evervec.trusted_function(name, name[]) from public;

-- file: functions/push/pg_net.sql
-- pg_net: its function that sends a request after commit, if pg_net can be used here.
--
-- Locks:  none.
-- needs: functions/core/trusted_function.sql
create or replace function evervec.pg_net()
returns regproc
language sql stable
set search_path from current
as $$
    select evervec.trusted_function('http_post', 'text', 'jsonb', 'jsonb', 'jsonb', 'int4')
$$;

comment on function evervec.pg_net() is
$$Internal. net.http_post of pg_net, or NULL.$$;

revoke execute on function evervec.pg_net() from public;

-- file: functions/push/pgsql_http.sql
-- pgsql_http: its function that sends a request and waits for the answer, if pgsql-http can be used here.
--
-- Locks:  none.
-- needs: functions/core/trusted_function.sql
create or replace function evervec.pgsql_http()
returns regproc
language sql stable
set search_path from current
as $$
    select evervec.trusted_function('http', 'http_request')
$$;

comment on function evervec.pgsql_http() is
$$Internal. http(http_request) of pgsql-http, or NULL.$$;

revoke execute on function evervec.pgsql_http() from public;

-- file: functions/push/push_transport.sql
-- push_transport: by what the webhook is rung now.
--
-- Looked up whenever it is needed, so that an extension may come and go.
-- Locks:  none.
-- needs: functions/push/pg_net.sql
-- needs: functions/push/pgsql_http.sql
create or replace function evervec.push_transport()
returns text
language sql stable
set search_path from current
as $$
    select case when p.transport in ('auto', 'pg_net') and evervec.pg_net() is not null then 'pg_net'
                when p.transport in ('auto', 'http') and evervec.pgsql_http() is not null then 'http'
                else 'none' end
      from evervec.push p
$$;

comment on function evervec.push_transport() is
$$Internal. pg_net, http or none, of what configure_push allows; NULL: push is off.$$;

revoke execute on function evervec.push_transport() from public;

-- file: functions/control/doctor_push.sql
-- doctor_push: finding: by what the webhook is rung, and why; worse, where it is not, or could be by something better.
--
-- Locks:  none.
-- needs: functions/push/push_transport.sql
create or replace function evervec.doctor_push()
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    with push as (
        select p.*, evervec.push_transport() as used,
               exists (select from pg_trigger t where t.tgrelid = 'evervec.change_log'::regclass and t.tgname = 'evervec_ring') as by_trigger
          from evervec.push p
    )
    select x.finding, x.severity, x.problem,
           coalesce(x.remedy, format('select evervec.configure_push(%L, %L, %L, %L);', p.url, p.transport, p.debounce, p.search))
      from push p
      cross join lateral (
        select 'push fails' as finding, 'error' as severity,
               format('The last ring of %s failed: %s. Work waits until somebody looks for it.', p.url, rtrim(p.problem, '.')) as problem,
               'select * from evervec.ring();' as remedy
         where p.problem is not null
        union all
        select 'push not possible', 'error',
               format('%s is not rung: %s cannot be used here.', p.url,
                      case p.transport when 'auto' then 'neither pg_net nor pgsql-http' when 'http' then 'pgsql-http' else p.transport end),
               'select evervec.push_off();'
         where p.used = 'none'
        union all
        select 'push not as it could be', 'advice',
               case when p.by_trigger then format('pg_net is gone: %s is rung by a schedule only.', p.url)
                    else format('pg_net is there now, and would ring %s after every commit.', p.url) end,
               null
         where p.by_trigger <> (p.used = 'pg_net') and p.used <> 'none'
        union all
        select 'push', 'info',
               case p.used when 'pg_net' then format('pg_net rings %s after commits, every %s at most; ring() makes up for what is lost.', p.url, p.debounce)
                           else format('pgsql-http rings %s, whenever ring() is called and there is work; pg_net %s.', p.url,
                                       case p.transport when 'http' then 'is not wanted' else 'cannot be used here' end) end,
               'select * from evervec.ring();'
         where p.used <> 'none' and p.by_trigger = (p.used = 'pg_net') and p.problem is null
      ) x
$$;

comment on function evervec.doctor_push() is
$$Internal. Finding of doctor: which transport rings the webhook.$$;

revoke execute on function evervec.doctor_push() from public;

-- file: functions/control/doctor_recipe.sql
-- doctor_recipe: finding: a recipe that cannot make texts any more, as after a rename in a table that it reads.
--
-- Locks:  ACCESS SHARE on what the recipe reads.
create or replace function evervec.doctor_recipe(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language plpgsql volatile
set search_path from current
as $$
declare
    v_error text := p_source.last_error;
    v_call  text;
begin
    select coalesce(v_error, format('function evervec.%I is not there', min(e.name)))
      into v_error
      from (
        select f.prefix || '_' || p_source.name
          from unnest(array['nearest', 'find_similar', 'similar', 'key', 'canonical', 'render', 'write', 'erase', 'hashes', 'clear', 'archive', 'slice', 'orphans', 'sample']
                      || case when p_source.storage = 'manual' then array['put', 'remove'] end
                      || case when p_source.text_search is not null then array['document', 'redocument', 'hybrid_search'] end
                      || case when p_source.priority_sql is not null then array['priority'] end) as f (prefix)
      ) as e (name)
     where not exists (select from pg_proc p where p.pronamespace = 'evervec'::regnamespace and p.proname = e.name)
    having count(*) > 0 or v_error is not null;
    -- No rows are rendered: PostgreSQL plans the queries, and that is where names fail.
    foreach v_call in array array[
        format('select from evervec.%I(''{}'', null)', 'render_' || p_source.name),
        format('select from evervec.%I(null, 0, true)', 'slice_' || p_source.name)
    ] || array(
        select format('select from evervec.%I(''{}'')', p.proname)
          from pg_proc p
         where p.pronamespace = 'evervec'::regnamespace
           and p.proname = any (evervec.generated_functions(p_source.name))
           and (p.proname = 'priority_' || p_source.name or p.proname like 'dependents%')
    ) loop
        exit when v_error is not null;
        begin
            execute v_call;
        exception when others then
            v_error := sqlerrm;
        end;
    end loop;
    if v_error is not null then
        return query
        select 'broken recipe', 'error',
               format('Texts of "%s" cannot be made: %s. Correct the recipe in the remedy where it names what is not there any more.',
                      p_source.name, rtrim(v_error, '.')),
               format('select evervec.retrack(%s);', concat_ws(', ',
                    quote_literal(p_source.name),
                    'p_columns => ' || quote_literal(p_source.columns),
                    'p_template => ' || quote_literal(p_source.template),
                    'p_text_sql => ' || quote_literal(p_source.text_sql),
                    'p_where => ' || quote_literal(p_source.condition),
                    'p_retention => ' || quote_literal(p_source.retention),
                    'p_depends_on => ' || quote_literal(nullif(p_source.depends_on, '{}'))));
    end if;
end
$$;

comment on function evervec.doctor_recipe(evervec.source) is
$$Internal. Finding of doctor: a recipe, priority or dependency that fails whatever the row.$$;

revoke execute on function evervec.doctor_recipe(evervec.source) from public;

-- file: functions/control/doctor_signals.sql
-- doctor_signals: finding: a signal whose query fails.
--
-- Locks:  none.
create or replace function evervec.doctor_signals(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'broken signal', 'error',
           format('Signal "%s" of "%s" fails: %s. It says nothing about anybody. Correct the query in the remedy.',
                  s.name, p_source.name, rtrim(e.error, '.')),
           format('select evervec.drop_signal(%L, %L);', p_source.name, s.name)
           || ' ' || format('select evervec.add_signal(%L, %L, %L, %s);', p_source.name, s.name, s.query, s.weight)
      from evervec.signal s
      cross join lateral (
        select coalesce(s.last_error, case when not exists (
                   select from pg_proc p
                    where p.pronamespace = 'evervec'::regnamespace and p.proname = format('signal_%s_%s', p_source.name, s.name))
                   then format('function evervec.%I is not there', format('signal_%s_%s', p_source.name, s.name)) end) as error) e
     where s.source_id = p_source.source_id and e.error is not null
     order by s.name
$$;

comment on function evervec.doctor_signals(evervec.source) is
$$Internal. Finding of doctor and alerts: a signal that fails.$$;

revoke execute on function evervec.doctor_signals(evervec.source) from public;

-- file: functions/control/doctor_state.sql
-- doctor_state: finding: a source that was suspended, or paused, and perhaps forgotten.
--
-- Locks:  none.
create or replace function evervec.doctor_state(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'suspended', 'error',
           format('Source "%s" is suspended: it has no triggers, and changes of %s go unnoticed.', p_source.name, p_source.relation_name),
           format('select evervec.retrack(%L);', p_source.name)
     where p_source.state = 'suspended'
    union all
    select 'paused', 'advice',
           format('Source "%s" is paused: changes are queued and nothing is embedded.', p_source.name),
           format('select evervec.resume(%L);', p_source.name)
     where p_source.state = 'paused'
$$;

comment on function evervec.doctor_state(evervec.source) is
$$Internal. Finding of doctor: a suspended or paused source.$$;

revoke execute on function evervec.doctor_state(evervec.source) from public;

-- file: functions/control/doctor_tables.sql
-- doctor_tables: finding: a source whose table, or whose vectors' table, was dropped.
--
-- Locks:  none.
-- needs: functions/control/track_statement.sql
create or replace function evervec.doctor_tables(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'table dropped', 'error',
           format('The table %s is gone; source "%s" has nothing to follow.', p_source.relation_name, p_source.name),
           format('select evervec.untrack(%L, p_drop_vectors => true);', p_source.name)
     where not exists (select from pg_class c where c.oid = p_source.relation)
    union all
    -- The triggers erase vectors through a view, which went with the table.
    select 'embedding table dropped', 'error',
           format('The table of vectors %s is gone: nothing is embedded, and a DELETE from %s fails.', p_source.target_name, p_source.relation_name),
           format('select evervec.untrack(%L), %s;', p_source.name, evervec.track_statement(p_source))
     where exists (select from pg_class c where c.oid = p_source.relation)
       and not exists (select from pg_class c where c.oid = p_source.target)
$$;

comment on function evervec.doctor_tables(evervec.source) is
$$Internal. Finding of doctor: a dropped table.$$;

revoke execute on function evervec.doctor_tables(evervec.source) from public;

-- file: functions/track/partitions_of.sql
-- partitions_of: the partitions below a table, in a fixed order; none for a table that is not partitioned.
--
-- Locks:  none.
create or replace function evervec.partitions_of(p_relation regclass)
returns oid[]
language sql stable
set search_path from current
as $$
    select array(select p.relid::oid from pg_partition_tree(p_relation) p where p.relid <> p_relation order by 1)
$$;

comment on function evervec.partitions_of(regclass) is
$$Internal. OIDs of all partitions below a table, ascending.$$;

revoke execute on function evervec.partitions_of(regclass) from public;

-- file: functions/control/expected_triggers.sql
-- expected_triggers: the triggers that a source must have, wherever they stand: on its table, on partitions, on tables of its recipe.
--
-- What create_triggers, create_partition_triggers and create_dependency_triggers make; a test compares.
-- Locks:  none.
-- needs: functions/track/partitions_of.sql
create or replace function evervec.expected_triggers(p_source evervec.source)
returns table (relation regclass, name name)
language sql stable
set search_path from current
as $$
    with event as (
        select e.event, e.by_row
          from (values
            ('insert', true, p_source.storage <> 'manual'),
            ('update', true, p_source.storage <> 'manual' and cardinality(p_source.watched_columns) > 0),
            ('emptied', true, p_source.storage = 'column'),
            ('rekey', true, true),
            ('delete', true, p_source.storage <> 'column'),
            ('truncate', false, p_source.storage <> 'column'),
            ('rekey_erase', true, p_source.storage <> 'column' and not p_source.foreign_key),
            ('delete_erase', true, p_source.storage <> 'column' and not p_source.foreign_key),
            ('clear', false, p_source.storage <> 'column' and not p_source.foreign_key)
          ) as e (event, by_row, wanted)
         where e.wanted
    )
    select c.oid::regclass, format('evervec_%s_%s', p_source.name, e.event)::name
      from event e
      cross join unnest(array[p_source.relation::oid] || evervec.partitions_of(p_source.relation)) as r (relation)
      join pg_class c on c.oid = r.relation and c.relkind in ('r', 'p')
     -- PostgreSQL clones row triggers; the one on TRUNCATE is made when the partition has been noticed.
     where e.by_row or r.relation = p_source.relation or r.relation = any (p_source.partitions) and e.event = 'truncate'
    union all
    select r.relation, format('evervec_%s_dep%s_%s', p_source.name, d.ordinal, e.event)::name
      from evervec.dependency d
      cross join (values ('insert', true), ('update', true), ('delete', true), ('truncate', false)) as e (event, by_row)
      cross join lateral (
        select d.relation
        union all
        select p.relation::regclass from unnest(evervec.partitions_of(d.relation)) as p (relation) where e.by_row
      ) as r (relation)
      join pg_class c on c.oid = r.relation and c.relkind in ('r', 'p')
     where d.source_id = p_source.source_id
$$;

comment on function evervec.expected_triggers(evervec.source) is
$$Internal. Tables and names of all triggers that a source must have.$$;

revoke execute on function evervec.expected_triggers(evervec.source) from public;

-- file: functions/control/doctor_triggers.sql
-- doctor_triggers: finding: triggers of a source that are missing or disabled, so that changes go unnoticed.
--
-- A disabled trigger: ALTER TABLE … DISABLE TRIGGER, or a restore that did not put it back. Also on partitions and on the tables in
-- p_depends_on. retrack makes them anew and compares all rows, because changes were missed meanwhile.
-- Locks:  none.
-- needs: functions/control/expected_triggers.sql
create or replace function evervec.doctor_triggers(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    with trigger as (
        select x.relation, x.name, t.tgenabled
          from evervec.expected_triggers(p_source) x
          left join pg_trigger t on t.tgrelid = x.relation and t.tgname = x.name
    )
    select case when bool_and(t.tgenabled is null) then 'missing triggers' else 'disabled triggers' end, 'error',
           format('Changes of %s go unnoticed: %s %s.', string_agg(distinct t.relation::text, ', '),
                  string_agg(distinct t.name::text, ', '),
                  case when count(distinct t.name) = 1 then 'is' else 'are' end
                  || case when bool_and(t.tgenabled is null) then ' missing' else ' disabled' end),
           format('select evervec.retrack(%L);', p_source.name)
      from trigger t
     where coalesce(t.tgenabled in ('D', 'R'), true)
     group by t.tgenabled is null
$$;

comment on function evervec.doctor_triggers(evervec.source) is
$$Internal. Finding of doctor: missing or disabled triggers.$$;

revoke execute on function evervec.doctor_triggers(evervec.source) from public;

-- file: functions/control/doctor_updates.sql
-- doctor_updates: finding: column storage whose updates re-insert rows into the vector index because pages have no room for HOT updates.
--
-- Locks:  none.
-- needs: functions/index/index_of.sql
-- needs: functions/core/qualified_name.sql
create or replace function evervec.doctor_updates(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'costly updates', 'advice',
           format('%s of %s updates of %s were not HOT: each of them inserts the row into the vector index again. Room in its pages helps, '
                  'from VACUUM FULL on for rows that are there; p_storage => ''table'' does away with it.',
                  t.n_tup_upd - t.n_tup_hot_upd, t.n_tup_upd, t.relid::regclass),
           format('alter table %s set (fillfactor = 80);', evervec.qualified_name(t.relid))
      from pg_stat_all_tables t
      join pg_class c on c.oid = t.relid and c.relkind = 'r'
     where p_source.storage = 'column'
       and t.relid = any (p_source.partitions || p_source.relation::oid)
       -- Storing the vectors is one update a row by itself.
       and t.n_tup_upd > 1000 + 2 * t.n_live_tup
       and t.n_tup_hot_upd < t.n_tup_upd / 2
       and not coalesce(c.reloptions, '{}')::text ~ 'fillfactor'
       and (evervec.index_of(p_source)).index is not null
$$;

comment on function evervec.doctor_updates(evervec.source) is
$$Internal. Finding of doctor: updates of column storage that are not HOT.$$;

revoke execute on function evervec.doctor_updates(evervec.source) from public;

-- file: functions/control/doctor_vectors.sql
-- doctor_vectors: findings about what burdens the index of a source: vectors that are dead, and further indexes over the same column.
--
-- A search walks over dead vectors until VACUUM has taken them out of the index.
-- Locks:  none.
-- needs: functions/index/vector_indexes.sql
-- needs: functions/core/qualified_name.sql
create or replace function evervec.doctor_vectors(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'dead vectors', 'advice',
           format('%s of %s rows of %s are dead: searches walk over them in the index until VACUUM, which takes its time over a large one, has been there.',
                  t.n_dead_tup, t.n_dead_tup + t.n_live_tup, t.relid::regclass),
           format('vacuum %s;', evervec.qualified_name(t.relid))
      from (select p_source.target::oid union select p.relid from pg_partition_tree(p_source.target) p) as r (relation)
      join pg_stat_all_tables t on t.relid = r.relation
     where t.n_dead_tup > 10000 and t.n_dead_tup > 0.3 * t.n_live_tup
       and exists (select from evervec.vector_indexes(p_source) x where x.valid)
    union all
    select 'further index', 'advice',
           format('Index %s lies over the vectors of "%s" and is not needed by its searches, which have another; writes pay for it.', x.index, p_source.name),
           format('drop index %s;', evervec.qualified_name(x.index))
      from evervec.vector_indexes(p_source) x
     where x.valid
       and exists (select from evervec.vector_indexes(p_source) y where y.valid and y.fits and (not x.fits or y.index::oid < x.index::oid))
       -- In a table of evervec's own, one that does not fit goes by itself.
       and (x.fits or p_source.storage = 'column'
                      and (p_source.search_method, p_source.search_precision) = (p_source.index_method, p_source.index_precision))
$$;

comment on function evervec.doctor_vectors(evervec.source) is
$$Internal. Findings of doctor: many dead vectors, and indexes that searches do not use.$$;

revoke execute on function evervec.doctor_vectors(evervec.source) from public;

-- file: functions/control/doctor_words.sql
-- doctor_words: findings: words cannot be kept, because the text search configuration of a source is gone; or not be ranked by BM25.
--
-- Locks:  none.
create or replace function evervec.doctor_words(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language plpgsql stable
set search_path from current
as $$
begin
    if p_source.bm25 and evervec.bm25_schema() is null then
        return query
        select 'no bm25', 'advice',
               format('Words of "%s" are to be ranked by BM25, but the extension pg_textsearch is not in this database: ts_rank_cd ranks them.', p_source.name),
               format('create extension pg_textsearch; -- or: select evervec.retrack(%L, p_bm25 => false);', p_source.name);
    end if;
    perform p_source.text_search::regconfig;
exception when others then
    return query
    select 'broken words', 'error',
           format('The words of "%s" cannot be told: %s. Its vectors are stored without them.', p_source.name, rtrim(sqlerrm, '.')),
           format('select evervec.retrack(%L, p_text_search => %L);', p_source.name, 'simple');
end
$$;

comment on function evervec.doctor_words(evervec.source) is
$$Internal. Findings of doctor: a text search configuration, or pg_textsearch, that is not there.$$;

revoke execute on function evervec.doctor_words(evervec.source) from public;

-- file: functions/control/pause.sql
-- pause: no more work on a source, or on all, until resume; changes are logged and queued meanwhile.
--
-- What a worker has claimed already is still completed. For a bulk load that need not even be logged, a session may say
-- SET evervec.bypass = on; then nothing of what it writes is noticed, and reconcile must follow.
-- Locks:  rows of evervec.source.
-- Raises: VE101 unknown source
create or replace function evervec.pause(p_source text default null)
returns integer
language plpgsql security definer
set search_path from current
as $$
declare
    v_paused integer;
begin
    if p_source is not null then
        perform evervec.source_named(p_source);
    end if;
    update evervec.source s
       set state = 'paused'
     where s.state = 'active' and (p_source is null or s.name = p_source);
    get diagnostics v_paused = row_count;
    return v_paused;
end
$$;

comment on function evervec.pause(text) is
$$Stops the work on a source, or (NULL) on all: changes are logged and queued, nothing is claimed, vectors stay and are served. Returns how many sources were active before. Raises VE101.$$;

revoke execute on function evervec.pause(text) from public;

-- file: functions/control/reset.sql
-- reset: throws all vectors of a source away, or those of some rows, and starts to make them anew.
--
-- With those of all rows the index goes, because building one over everything afterwards costs far less than as many inserts into a
-- standing one. The cache of vectors stays then, and what it has of the present texts comes from there; of rows that are named it forgets
-- these texts, because otherwise the same vectors would come back.
-- Searches find nothing until workers have caught up. In column storage every row is updated in this one transaction.
-- Locks:  ACCESS EXCLUSIVE on the embedding table, taken in attempts of half a second with pauses between them; in column storage on
--         the table itself, for its index, and the rows that have a vector. For rows that are named: their vectors, SKIP LOCKED.
-- Raises: VE101 unknown source · VE111 a manual source · VE202 not a key · VE303 a key too long · 55P03 the table, or a vector, stays locked
create or replace function evervec.reset(p_source text, p_row_keys jsonb[] default null)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source  evervec.source := evervec.source_named(p_source);
    v_keys    jsonb[];
    v_hashes  bytea[];
    v_index   regclass;
    v_dropped bigint;
begin
    perform evervec.check_option(format('the storage of "%s", for a reset,', v_source.name), v_source.storage, array['table', 'column']);
    if p_row_keys is not null then
        v_keys := array(select distinct k from unnest(evervec.checked_keys(v_source, p_row_keys)) k);
        execute format('select count(r.stored_hash), array_agg(r.content_hash) from evervec.%I($1, null) r', 'render_' || v_source.name)
           into v_dropped, v_hashes
          using v_keys;
        if evervec.erase_vectors(v_source, v_keys) <> '{}' then
            raise exception using
                errcode = 'lock_not_available',
                message = format('a vector of source "%s" is locked', v_source.name),
                detail  = 'Another transaction holds it. Nothing of this call was done.',
                hint    = 'Call again when that transaction has ended; a worker that is storing the vector needs milliseconds.';
        end if;
        delete from evervec.embedding_cache d
         where d.ctid = any (array(
            select c.ctid from evervec.embedding_cache c
             where c.model_id = v_source.model_id and c.content_hash = any (v_hashes)
               for update skip locked));
        perform evervec.queue_keys(v_source, v_keys, 5, jsonb_build_object('operation', 'update', 'triggered_by', 'reset', 'triggered_at', now()));
        return v_dropped;
    end if;
    perform evervec.lock_relation(v_source.target, 'access exclusive');
    for v_index in
        select x.index from evervec.vector_indexes(v_source) x
    loop
        execute format('drop index %s', evervec.qualified_name(v_index));
    end loop;
    execute format('select evervec.%I()', 'clear_' || v_source.name) into v_dropped;
    perform evervec.start_pass(v_source.source_id, 'backfill');
    return v_dropped;
end
$$;

comment on function evervec.reset(text, jsonb[]) is
$$Drops all vectors of a source, and its index, and starts a backfill that makes them anew: texts that the cache has are not paid for again (see cache_delete). Returns how many there were. Searches find nothing until workers have caught up. Locks the embedding table ACCESS EXCLUSIVE to the end of the transaction. p_row_keys: only those of these rows, which are queued; what the cache has of their texts is forgotten, so that they are paid for again. Raises VE101, VE111, VE202, VE303, 55P03.$$;

revoke execute on function evervec.reset(text, jsonb[]) from public;

-- file: functions/control/resume.sql
-- resume: takes the work on a paused source, or on all, up again.
--
-- A suspended source has no triggers and is brought back by retrack.
-- Locks:  rows of evervec.source.
-- Raises: VE101 unknown source
create or replace function evervec.resume(p_source text default null)
returns integer
language plpgsql security definer
set search_path from current
as $$
declare
    v_resumed integer;
begin
    if p_source is not null then
        perform evervec.source_named(p_source);
    end if;
    update evervec.source s
       set state = 'active'
     where s.state = 'paused' and (p_source is null or s.name = p_source);
    get diagnostics v_resumed = row_count;
    return v_resumed;
end
$$;

comment on function evervec.resume(text) is
$$Takes the work on a paused source, or (NULL) on all, up again. Returns how many sources were paused. A suspended one stays so: see retrack. Raises VE101.$$;

revoke execute on function evervec.resume(text) from public;

-- file: functions/core/lock_key.sql
-- lock_key: the key of one of evervec's advisory locks, apart from those of applications.
--
-- Locks:  none itself.
create or replace function evervec.lock_key(p_purpose text)
returns bigint
language sql immutable
set search_path from current
as $$
    select hashtextextended('evervec.' || p_purpose, 0)
$$;

comment on function evervec.lock_key(text) is
$$Internal. Key of the advisory lock for a purpose, such as fold.$$;

revoke execute on function evervec.lock_key(text) from public;

-- file: functions/core/lock_relation.sql
-- lock_relation: takes a lock on a table in short attempts, so that writers never queue behind us for long.
--
-- Locks:  p_mode on p_relation until the end of the transaction.
-- Raises: 55P03 lock_not_available after p_attempts attempts of p_timeout each
create or replace function evervec.lock_relation(
    p_relation regclass,
    p_mode     text,
    p_attempts integer default 10,
    p_timeout  interval default '500 milliseconds'
)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_former text := current_setting('lock_timeout');
begin
    for v_attempt in 1 .. p_attempts loop
        begin
            perform set_config('lock_timeout', extract(milliseconds from p_timeout)::integer::text, true);
            execute format('lock table %s in %s mode', p_relation, p_mode);
            perform set_config('lock_timeout', v_former, true);
            return;
        exception when lock_not_available then
            -- A pause as long as the attempt lets everyone who waited behind it through.
            perform pg_sleep(extract(epoch from p_timeout));
        end;
    end loop;
    raise exception using
        errcode = 'lock_not_available',
        message = format('could not lock table %s in %s mode', p_relation, p_mode),
        detail  = format('%s attempts of %s each met a transaction that holds a conflicting lock.', p_attempts, p_timeout),
        hint    = 'Look for long transactions in pg_stat_activity, then call again: nothing was changed.';
end
$$;

comment on function evervec.lock_relation(regclass, text, integer, interval) is
$$Internal. Locks a table in short attempts with pauses between them, so that writers never wait long behind evervec. Raises 55P03 when it does not succeed.$$;

revoke execute on function evervec.lock_relation(regclass, text, integer, interval) from public;

-- file: functions/core/source_named.sql
-- source_named: the source of that name, or the error that every function gives for an unknown one.
--
-- Locks:  none.
-- Raises: VE101 unknown source
create or replace function evervec.source_named(p_source text)
returns evervec.source
language plpgsql stable
set search_path from current
as $$
declare
    v_source evervec.source;
begin
    select * into v_source from evervec.source s where s.name = p_source;
    if not found then
        raise exception using
            errcode = 'VE101',
            message = format('source "%s" does not exist', p_source),
            detail  = coalesce(
                (select 'Tracked sources: ' || string_agg(s.name, ', ' order by s.name) || '.' from evervec.source s),
                'No table is tracked yet.'),
            hint    = 'Track a table with: SELECT evervec.track(''schema.table'', p_columns => ''{title,body}'');';
    end if;
    return v_source;
end
$$;

comment on function evervec.source_named(text) is
$$Internal. The row of a source by its name. Raises VE101 when there is none.$$;

revoke execute on function evervec.source_named(text) from public;

-- file: functions/cost/estimate.sql
-- estimate: what it would cost to give every row of a source its vector.
--
-- Reads and renders the rows, 5,000 of them at most, more or less: a larger table is sampled by pages, and the counts are scaled by the
-- share of its pages that was read.
-- Locks:  ACCESS SHARE on what the recipe reads.
-- Raises: VE101 unknown source · VE111 a manual source
create or replace function evervec.estimate(p_source text)
returns table (
    rows     bigint,
    missing  bigint,
    cached   bigint,
    tokens   bigint,
    cost     numeric,
    sampled  boolean,
    examined bigint
)
language plpgsql volatile security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_model  evervec.model;
    v_share  numeric;
    v_room   integer;
    v_pages  bigint;
begin
    perform evervec.check_option(format('the storage of "%s", for an estimate,', v_source.name), v_source.storage, array['table', 'column']);
    select * into v_model from evervec.model m where m.model_id = v_source.model_id;
    v_share := least(5000.0 / greatest(evervec.estimated_rows(v_source.relation), 1), 1);
    -- Characters of a text that the provider is sent, as the worker cuts it.
    v_room := least(greatest(4::bigint * v_model.input_limit - length(v_model.document_prefix), 1), 2147483647);
    select sum(pg_relation_size(r.relation)) / current_setting('block_size')::integer
      into v_pages
      from unnest(v_source.relation::oid || evervec.partitions_of(v_source.relation)) as r (relation);

    return query execute format(
        $sql$
        with row as materialized (
            select r.page, r.content_hash, r.characters, r.bytes,
                   r.content_hash is not null and (r.stored_hash, r.stored_model_id) is distinct from (r.content_hash, $3) as missing
              from evervec.%1$I($1, $2) r
        ), text as (
            select r.characters, r.bytes, c.content_hash is not null as cached,
                   -- A text that several rows share is paid for once where the cache keeps it.
                   row_number() over (partition by r.content_hash) as occurrence
              from row r
              left join %2$s c
                on $4 and c.model_id = $3 and c.content_hash = r.content_hash and (c.note is null or $5)
               and c.used_at >= now() - evervec.setting_interval('cache_keep', '30 days')
             where r.missing
        ), price as (
            -- As the worker estimates tokens: a quarter of the bytes, and no more than the model reads.
            select count(*) filter (where t.cached) as cached,
                   sum(least(greatest((t.bytes + $6) / 4, 1), $7))
                       filter (where not t.cached and (t.occurrence = 1 or not $4) and (t.characters <= $2 or $5)) as tokens
              from text t
        ), total as (
            select count(*) as rows, count(*) filter (where r.missing) as missing,
                   case when $8 < 1 then $9::numeric / nullif(count(distinct r.page), 0) else 1 end as scale
              from row r
        )
        select round(t.rows * t.scale)::bigint, round(t.missing * t.scale)::bigint, round(p.cached * t.scale)::bigint, n.tokens,
               $10 * n.tokens / 1000000, $8 < 1, t.rows
          from total t
          cross join price p
          cross join lateral (select coalesce(round(p.tokens * t.scale), 0)::bigint) as n (tokens)
        $sql$,
        'sample_' || v_source.name,
        -- Unlogged: PostgreSQL refuses to read it on a standby.
        case when pg_is_in_recovery() then '(select (null::evervec.embedding_cache).* where false)' else 'evervec.embedding_cache' end)
    using (100 * v_share)::real, v_room, v_model.model_id, v_source.cache, v_source.too_long = 'cut',
          octet_length(convert_to(v_model.document_prefix, 'UTF8')), v_model.input_limit, v_share, v_pages, v_model.price_per_million_tokens;
end
$$;

comment on function evervec.estimate(text) is
$$What it would cost to give every row its vector, without sending or queueing anything. rows: of the table. missing: those that have a text, and no vector of that very text and the source's model. cached: of these, those whose vector the cache has, for nothing; 0 on a standby, which cannot read the cache. tokens: about how many the texts of the others are, a quarter of their bytes, cut at the model's limit; a tokenizer may count otherwise. cost: at the model's price, NULL when it has none. sampled: whether the table is so large that only a sample of about 5,000 rows (those on pages chosen at random, of partitions too) was read, and the counts scaled; examined: how many rows were read. Raises VE101, VE111.$$;

revoke execute on function evervec.estimate(text) from public;

-- file: functions/cost/set_budget.sql
-- set_budget: how much a model, or a source, may spend on a day.
--
-- Once it is spent, claim_jobs gives out no jobs of the source, or of the model's sources, until midnight UTC; changes are logged and queued
-- meanwhile. What is in hand is completed, so a day may end some batches above its budget.
-- Locks:  the budget; the row of the model or source FOR KEY SHARE.
-- Raises: VE101 unknown source · VE108 unknown model · VE111 a model and a source, or neither; a value out of its range; money of a model without price
create or replace function evervec.set_budget(
    p_model        text default null,
    p_source       text default null,
    p_tokens_a_day bigint default null,
    p_cost_a_day   numeric default null
)
returns void
language plpgsql security definer
set search_path from current
as $$
declare
    v_model  evervec.model;
    v_source evervec.source;
begin
    if num_nonnulls(p_model, p_source) <> 1 then
        raise exception using
            errcode = 'VE111',
            message = 'a budget is that of one model or of one source',
            detail  = format('p_model is %s, p_source is %s.', coalesce(quote_literal(p_model), 'NULL'), coalesce(quote_literal(p_source), 'NULL')),
            hint    = 'For example: SELECT evervec.set_budget(p_source => ''film'', p_tokens_a_day => 1000000);';
    end if;
    if p_source is not null then
        v_source := evervec.source_named(p_source);
        select * into v_model from evervec.model m where m.model_id = v_source.model_id;
    else
        v_model := evervec.model_named(p_model);
    end if;
    if p_tokens_a_day <= 0 or p_cost_a_day <= 0 or p_cost_a_day >= 'Infinity' then
        raise exception using
            errcode = 'VE111',
            message = 'a budget must be more than nothing, and less than infinite',
            detail  = format('p_tokens_a_day is %s, p_cost_a_day is %s.', coalesce(p_tokens_a_day::text, 'NULL'), coalesce(p_cost_a_day::text, 'NULL')),
            hint    = 'NULL is unlimited, both NULL remove the budget; pause() and pause_model() stop the work.';
    end if;
    if p_cost_a_day is not null and coalesce(v_model.price_per_million_tokens, 0) = 0 then
        raise exception using
            errcode = 'VE111',
            message = format('nobody knows what model "%s" costs, so a budget of money would never be spent', v_model.name),
            detail  = 'It has no price per million tokens.',
            hint    = format('UPDATE evervec.model SET price_per_million_tokens = 0.02 WHERE name = %L; or give p_tokens_a_day.', v_model.name);
    end if;

    if num_nonnulls(p_tokens_a_day, p_cost_a_day) = 0 then
        delete from evervec.budget b
         where (b.model_id, b.source_id) is not distinct from (case when p_source is null then v_model.model_id end, v_source.source_id);
    else
        insert into evervec.budget as b (model_id, source_id, tokens_a_day, cost_a_day)
        values (case when p_source is null then v_model.model_id end, v_source.source_id, p_tokens_a_day, p_cost_a_day)
        on conflict (model_id, source_id) do update set tokens_a_day = excluded.tokens_a_day, cost_a_day = excluded.cost_a_day;
    end if;
end
$$;

comment on function evervec.set_budget(text, text, bigint, numeric) is
$$Says what a model or a source may spend on a day (UTC). p_model: of all its sources together. p_source: of this source; a source may have to keep to both. p_tokens_a_day, p_cost_a_day: in tokens as the provider counts them, and in the currency of the model's price; NULL is unlimited, and both NULL remove the budget. Once it is spent, no jobs are given out until midnight UTC, not even those that the cache could serve; what is in hand is completed, so that a day may end some batches above it. A provider that does not count tokens spends nothing. Raises VE101, VE108, VE111.$$;

revoke execute on function evervec.set_budget(text, text, bigint, numeric) from public;

-- file: functions/index/build_index.sql
-- build_index: builds the indexes of a source, of its vectors and of their words, inside the caller's transaction.
--
-- For scripts that have nothing but SQL. Writes of vectors, and deletes from the source, wait while it builds; a worker builds it
-- concurrently instead.
-- Locks:  SHARE on the embedding table; where it takes the place of another index, that of replace_index.
-- Raises: VE101 unknown source · VE210, 2BP01, 55P03 as replace_index
create or replace function evervec.build_index(p_source text)
returns boolean
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_index  record;
    v_built  boolean := false;
begin
    loop
        select * into v_index from evervec.wanted_index(v_source);
        exit when v_index.column_name is null;
        if v_index.step = 'drop' then
            execute format('drop index %s', evervec.qualified_name(v_index.index));
        elsif v_index.step = 'create' then
            execute evervec.index_definition(v_source, '', v_index.column_name);
        else
            perform evervec.replace_index(p_source);
            v_source := evervec.source_named(p_source);
        end if;
        v_built := true;
    end loop;
    return v_built;
end
$$;

comment on function evervec.build_index(text) is
$$Builds the index of a source's vectors, and that of their words (p_text_search), blocking writes of vectors meanwhile; true when one was built, false when they stood or none is wanted. One that takes the place of another (retrack with other p_index options) locks the embedding table ACCESS EXCLUSIVE for a moment. Raises VE101, VE210, 2BP01, 55P03.$$;

revoke execute on function evervec.build_index(text) from public;

-- file: functions/index/build_memory.sql
-- build_memory: about how much memory the build of a source's vector index takes, if it is to be fast.
--
-- hnsw: its graph, of each vector what the index knows of it, 2 m neighbours of 16 bytes, and what belongs to it. ivfflat: a sample of the vectors,
-- and their distances to the centres of the lists; without so much its build fails.
-- Locks:  none.
-- needs: functions/index/fitting_lists.sql
-- needs: functions/queue/estimated_rows.sql
create or replace function evervec.build_memory(p_source evervec.source)
returns bigint
language sql stable
set search_path from current
as $$
    select case p_source.index_method
           when 'hnsw' then v.vectors * (v.bytes + 32 * coalesce((p_source.index_options ->> 'm')::bigint, 16) + 200)
           when 'ivfflat' then v.samples * v.bytes + least(v.samples, v.vectors) * (4 * v.lists + 8) + v.lists * (4 * v.lists + v.bytes + 4 * v.dimensions) end
      from (
        select l.lists, greatest(50 * l.lists, 10000) as samples, evervec.estimated_rows(p_source.target) as vectors, m.dimensions::bigint,
               8 + m.dimensions::bigint * case p_source.index_precision when 'bit' then 1 when 'half' then 16 else 32 end / 8 as bytes
          from evervec.model m
          cross join lateral (select coalesce((p_source.index_options ->> 'lists')::bigint, evervec.fitting_lists(p_source.target)) as lists) l
         where m.model_id = p_source.model_id
      ) v
$$;

comment on function evervec.build_memory(evervec.source) is
$$Internal. Bytes, by the number of vectors that there are now; NULL where no index is wanted.$$;

revoke execute on function evervec.build_memory(evervec.source) from public;

-- file: functions/index/due_indexes.sql
-- due_indexes: the sources whose vector index a worker should build now.
--
-- Locks:  none.
-- needs: functions/index/index_due.sql
create or replace function evervec.due_indexes(p_sources text[] default null)
returns setof text
language sql stable security definer
set search_path from current
as $$
    select s.name
      from evervec.source s
     where (p_sources is null or s.name = any (p_sources)) and evervec.index_due(s)
     order by s.name
$$;

comment on function evervec.due_indexes(text[]) is
$$The sources, of p_sources or (NULL) of all, whose vector index is missing or invalid and should be built now (see index_statement): at least 95 % of what is there is embedded, or the queue has stayed longer than that for 15 minutes after the last slice of a backfill (setting index_wait).$$;

revoke execute on function evervec.due_indexes(text[]) from public;

-- file: functions/index/index_definition.sql
-- index_definition: CREATE INDEX for the vectors of a source, for the words beside them, or for their texts.
--
-- GIN's list of pending entries is short (kB), because whoever fills it up sorts it in for all; without one, each row costs three times as much.
-- It takes the first name that is free: a former index that this one replaces has its own.
-- Locks:  none itself.
-- needs: functions/search/comparison.sql
-- needs: functions/index/fitting_lists.sql
-- needs: functions/core/qualified_name.sql
-- needs: functions/core/bm25_schema.sql
create or replace function evervec.index_definition(
    p_source       evervec.source,
    p_concurrently text default '',
    p_column       text default null
)
returns text
language sql stable
set search_path from current
as $$
    select format('create index %s %I on %s using %s',
                  p_concurrently,
                  (select f.name
                     from generate_series(1, 100) g
                     cross join lateral (select left(c.relname, 50 - length(left(w.name, 20))) || '_' || left(w.name, 20) || '_idx' || coalesce(nullif(g, 1)::text, '')) f (name)
                    where not exists (select from pg_class o where o.relnamespace = c.relnamespace and o.relname = f.name)
                    order by g limit 1),
                  evervec.qualified_name(p_source.target),
                  case w.name
                       when p_source.vector_column
                       then format('%s (%s %I.%I)', p_source.index_method, x.indexed, n.nspname, x.operator_class)
                            || coalesce(' with (' || (
                                   select string_agg(o.name || ' = ' || o.value, ', ' order by o.name)
                                     from jsonb_each_text(case when p_source.index_method = 'ivfflat'
                                                               then jsonb_build_object('lists', evervec.fitting_lists(p_source.target)) else '{}' end
                                                          || p_source.index_options - 'rerank') as o (name, value)) || ')', '')
                       when 'document_text'
                       then format('bm25 (%I %I.text_bm25_ops) with (text_config = %L)', w.name, evervec.bm25_schema(), p_source.text_search)
                       else format('gin (%I) with (gin_pending_list_limit = 256)', w.name) end)
      from coalesce(p_column, p_source.vector_column) as w (name)
      cross join pg_class c
      cross join pg_extension e
      join pg_namespace n on n.oid = e.extnamespace
      cross join evervec.comparison(p_source, p_source.index_precision, format('%I', p_source.vector_column), 'null') x
     where c.oid = p_source.target and e.extname = 'vector'
$$;

comment on function evervec.index_definition(evervec.source, text, text) is
$$Internal. The CREATE INDEX statement of a source; p_concurrently: '' or 'concurrently'; p_column: the vectors'' (NULL), document or document_text.$$;

revoke execute on function evervec.index_definition(evervec.source, text, text) from public;

-- file: functions/index/index_statement.sql
-- index_statement: the next statement towards the indexes of a source, of its vectors and of their words; NULL when nothing is left to do.
--
-- CREATE INDEX CONCURRENTLY runs in no function, so a client asks for the statement and executes it: first a DROP of what
-- a killed build has left invalid, then the CREATE, then, where it replaces another one, the call that has searches use it. REINDEX
-- CONCURRENTLY leaves an invalid one, too, when it is killed: the new one, or, in its last moment, the former.
-- Locks:  none itself; the statements take SHARE UPDATE EXCLUSIVE on the embedding table, and the last one the lock of replace_index.
-- Raises: VE101 unknown source
create or replace function evervec.index_statement(p_source text, p_rebuild boolean default false)
returns text
language plpgsql stable
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_index  record;
begin
    select * into v_index from evervec.wanted_index(v_source);
    return case
        when v_index.building then null
        when v_index.column_name is null and p_rebuild
        then (select format('reindex index concurrently %s', evervec.qualified_name(x.index))
                from evervec.vector_indexes(v_source) x
               where x.valid and x.fits and (evervec.running_build(v_source.target)).pid is null
               order by x.index::oid
               limit 1)
        when v_index.column_name is null then null
        when v_index.step = 'drop' then format('drop index concurrently %s', evervec.qualified_name(v_index.index))
        when v_index.step = 'replace' then format('select evervec.replace_index(%L);', p_source)
        else evervec.index_definition(v_source, 'concurrently', v_index.column_name)
    end;
end
$$;

comment on function evervec.index_statement(text, boolean) is
$$The next statement that the index of a source's vectors needs, or after it that of their words (p_text_search), to be executed outside a transaction: DROP INDEX CONCURRENTLY of an invalid one, CREATE INDEX CONCURRENTLY, or a call that puts a new one into the place of a former one; NULL when they stand, one is being built, or none is wanted. p_rebuild: where nothing else is needed, REINDEX INDEX CONCURRENTLY of that of the vectors, which stays in use until the new one stands. Raises VE101.$$;

revoke execute on function evervec.index_statement(text, boolean) from public;

-- file: functions/index/index_status.sql
-- index_status: every index of a source: its vectors', and those of their words.
--
-- Also those that are missing. It looks at no row of anybody's.
-- Locks:  none.
-- Raises: VE101 unknown source
-- needs: functions/core/source_named.sql
-- needs: functions/index/build_memory.sql
-- needs: functions/index/index_of.sql
-- needs: functions/index/running_build.sql
-- needs: functions/index/vector_indexes.sql
create or replace function evervec.index_status(p_source text default null)
returns table (
    source          text,
    covers          text,
    index           text,
    state           text,
    progress        real,
    phase           text,
    method          text,
    index_precision text,
    options         text[],
    bytes           bigint,
    row_count       bigint,
    effort          integer,
    build_bytes     bigint
)
language plpgsql stable security definer
set search_path from current
as $$
begin
    if p_source is not null then
        perform evervec.source_named(p_source);
    end if;
    return query
    select s.name, w.covers, x.index::text,
           case when w.wanted and not x.valid and b.pid is not null and x.index = coalesce(b.index, x.index) then 'building'
                when not x.valid then 'invalid'
                when x.valid and not x.fits then 'former'
                when x.valid then 'valid'
                when w.wanted then 'missing'
                else 'none' end,
           case when not x.valid and x.index = coalesce(b.index, x.index) then b.progress end,
           case when not x.valid and x.index = coalesce(b.index, x.index) then b.phase end,
           coalesce(a.amname, case w.covers when 'vectors' then s.index_method when 'words' then 'gin' else 'bm25' end)::text,
           case when w.covers <> 'vectors' then null
                when o.opcname is null then s.index_precision
                when o.opcname = 'bit_hamming_ops' then 'bit'
                when o.opcname ~ '^halfvec' then 'half'
                else 'full' end,
           c.reloptions,
           (select sum(pg_relation_size(t.index)) from (select x.index union select p.relid from pg_partition_tree(x.index) p) as t (index))::bigint,
           evervec.estimated_rows(s.target),
           case when w.covers = 'vectors' then s.search_effort end,
           case when w.covers = 'vectors' then evervec.build_memory(s) end
      from evervec.source s
      cross join lateral (
        values ('vectors', 1, s.vector_column, s.index_method <> 'none'),
               ('words', 2, 'document', s.text_search is not null),
               ('texts', 3, 'document_text', s.bm25)) as w (covers, ordinal, column_name, wanted)
      left join lateral (
        select v.index, v.valid, v.fits from evervec.vector_indexes(s) v where w.covers = 'vectors'
        union all
        select i.index, i.valid, true from evervec.index_of(s, w.column_name) i where w.covers <> 'vectors' and w.wanted and i.index is not null
        union all
        -- What is wanted, and not there.
        select null, null, null
         where case when w.covers = 'vectors'
                    then not exists (select from evervec.vector_indexes(s) v where v.valid and v.fits or not v.valid)
                    else w.wanted and (evervec.index_of(s, w.column_name)).index is null end
      ) x on true
      left join pg_class c on c.oid = x.index
      left join pg_am a on a.oid = c.relam
      left join pg_index i on i.indexrelid = x.index
      left join pg_opclass o on o.oid = i.indclass[0]
      cross join lateral evervec.running_build(s.target) b
     where (p_source is null or s.name = p_source)
       and (w.covers = 'vectors' or w.wanted)
       and exists (select from pg_class t where t.oid = s.target)
     order by s.name, w.ordinal, x.valid desc nulls last, x.index::text;
end
$$;

comment on function evervec.index_status(text) is
$$One row an index of p_source, or (NULL) of all sources. covers: vectors, words (p_text_search) or texts (p_bm25); index: its name; state: valid, building (concurrently, by anybody; progress from 0 to 0.99, and phase, NULL where they may not be seen), invalid (a killed build has left it), former (used until the one that the source wants now is built), missing, or none (no index is wanted). method, index_precision, options, bytes: of the index. row_count: vectors, as the planner estimates; effort: what tune has stored; build_bytes: maintenance_work_mem with which its build is fast, by as many vectors as there are now. Raises VE101.$$;

revoke execute on function evervec.index_status(text) from public;

-- file: functions/index/replace_index.sql
-- replace_index: has the searches of a source use the index that it wants, which stands, and drops those that nothing uses any more.
--
-- An index answers what is ordered as it is: so searches are written for one kind of index, and go on using the former one until now.
-- Where the table is the user's, their indexes stay: doctor tells. The effort that tune has found is of no worth with another kind of index; with
-- another number of lists it is the same share of them.
-- Locks:  ACCESS EXCLUSIVE on the embedding table, where an index of it is dropped, in attempts of half a second with pauses between them.
-- Raises: VE101 unknown source · VE210 a filter's condition is none over a row of the source any more · 2BP01 as create_search · 55P03 the table stays locked
create or replace function evervec.replace_index(p_source text)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_former regclass[];
    v_index  regclass;
begin
    if (select w.step from evervec.wanted_index(v_source) w) is distinct from 'replace' then
        return;
    end if;
    v_former := array(select x.index from evervec.vector_indexes(v_source) x where x.valid and x.ours and not x.fits);
    if v_former <> '{}' then
        perform evervec.lock_relation(v_source.target, 'access exclusive');
    end if;
    if (v_source.search_method, v_source.search_precision) <> (v_source.index_method, v_source.index_precision) then
        v_source.search_effort := null;
    elsif v_source.search_method = 'ivfflat' and v_source.search_effort is not null then
        select ceil(v_source.search_effort * max(l.lists) filter (where x.fits)::numeric / max(l.lists) filter (where not x.fits))
          into v_source.search_effort
          from evervec.vector_indexes(v_source) x
          join pg_class c on c.oid = x.index and x.valid
          cross join lateral (select coalesce(substring(c.reloptions::text from 'lists=(\d+)')::integer, 100) as lists) l;
    end if;
    v_source.search_method := v_source.index_method;
    v_source.search_precision := v_source.index_precision;
    perform evervec.update_source(v_source);
    perform evervec.create_search_functions(v_source);
    foreach v_index in array v_former loop
        execute format('drop index %s', evervec.qualified_name(v_index));
    end loop;
    -- Another index may find other rows.
    perform evervec.note_change(v_source.source_id);
end
$$;

comment on function evervec.replace_index(text) is
$$Internal. The last step of index_statement where an index takes the place of another one. Raises VE101, VE210, 2BP01, 55P03.$$;

revoke execute on function evervec.replace_index(text) from public;

-- file: functions/interaction/add_interaction_type.sql
-- add_interaction_type: something that people do with rows, and what it says about their liking.
--
-- Locks:  a row of evervec.interaction_type.
-- Raises: VE111 unknown mark · VE504 no name, or no weight
create or replace function evervec.add_interaction_type(
    p_name   text,
    p_weight double precision,
    p_marks  text default null,
    p_rated  boolean default false
)
returns void
language plpgsql security definer
set search_path from current
as $$
begin
    if p_marks is not null then
        perform evervec.check_option('p_marks', p_marks, array['has', 'dismissed']);
    end if;
    if p_name is null or p_name !~ '\S' or octet_length(p_name) > 63 or p_weight is null or not abs(p_weight) <= 1e9 or p_rated is null then
        raise exception using
            errcode = 'VE504',
            message = format('%s with weight %s is no type of interaction', coalesce(quote_literal(p_name), 'NULL'), coalesce(p_weight::text, 'NULL')),
            detail  = 'A type has a name of 1 to 63 bytes and a weight, a number of at most a billion either way.',
            hint    = 'For example: SELECT evervec.add_interaction_type(''share'', 0.8); a negative weight shows a dislike.';
    end if;
    insert into evervec.interaction_type as t (name, weight, marks, rated)
    values (p_name, p_weight, p_marks, p_rated)
    on conflict (name) do update
       set weight = excluded.weight, marks = excluded.marks, rated = excluded.rated
     where (t.weight, t.marks, t.rated) is distinct from (excluded.weight, excluded.marks, excluded.rated);
end
$$;

comment on function evervec.add_interaction_type(text, double precision, text, boolean) is
$$Adds a type of interaction, or changes it; may be repeated. There are view, rating, favorite, search, purchase_intent, purchase and dismiss. p_weight: how much of a liking one shows, against the 1.0 of a favorite; negative: of a dislike. p_marks: has (the row is the user's then) or dismissed, and is not recommended any more; NULL (default): neither. p_rated: its value is a rating (default false). Raises VE111, VE504.$$;

revoke execute on function evervec.add_interaction_type(text, double precision, text, boolean) from public;

-- file: functions/track/add_source.sql
-- add_source: the row of a new source, with defaults for what track does not say.
--
-- Locks:  ROW EXCLUSIVE on evervec.source.
create or replace function evervec.add_source(p_source evervec.source)
returns evervec.source
language sql
set search_path from current
as $$
    insert into evervec.source
        (name, relation, relation_kind, relation_name, partitions, key_columns, key_attributes, key_types, key_operators,
         target_key_columns, columns, template, text_sql, condition, depends_on, watched_columns, watched_attributes,
         text_expression, model_id, storage, foreign_key, target, target_name, vector_column, hash_column, model_column, time_column,
         version_column, distance, vector_type, index_method, index_precision, index_options,
         search_method, search_precision, priority, priority_sql, too_long, cache,
         return_columns, return_attributes, text_search, bm25, retention)
    select p_source.name, p_source.relation, p_source.relation_kind, p_source.relation_name, p_source.partitions,
           p_source.key_columns, p_source.key_attributes, p_source.key_types, p_source.key_operators,
           p_source.target_key_columns, p_source.columns, p_source.template, p_source.text_sql, p_source.condition,
           p_source.depends_on, p_source.watched_columns, p_source.watched_attributes, p_source.text_expression,
           p_source.model_id, p_source.storage, p_source.foreign_key, p_source.target,
           evervec.qualified_name(p_source.target),
           coalesce(p_source.vector_column, 'embedding'), coalesce(p_source.hash_column, 'content_hash'),
           coalesce(p_source.model_column, 'model_id'), coalesce(p_source.time_column, 'updated_at'),
           p_source.version_column, p_source.distance, p_source.vector_type, p_source.index_method, p_source.index_precision, p_source.index_options,
           p_source.search_method, p_source.search_precision, p_source.priority, p_source.priority_sql,
           coalesce(p_source.too_long, 'cut'), coalesce(p_source.cache, true),
           coalesce(p_source.return_columns, '{}'), coalesce(p_source.return_attributes, '{}'), p_source.text_search,
           coalesce(p_source.bm25, false), p_source.retention
    returning *
$$;

comment on function evervec.add_source(evervec.source) is
$$Internal. Inserts a source and returns it as stored.$$;

revoke execute on function evervec.add_source(evervec.source) from public;

-- file: functions/interaction/add_signal.sql
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

-- file: functions/interaction/clear_mark.sql
-- clear_mark: a row that a user has, or dismissed, may be recommended again.
--
-- Locks:  the mark.
-- Raises: VE101 unknown source · VE202 bad row_key · VE501, VE502 bad user
create or replace function evervec.clear_mark(p_user text, p_source text, p_row_key jsonb)
returns boolean
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source;
begin
    perform evervec.check_user(p_user);
    v_source := evervec.source_named(p_source);
    delete from evervec.row_mark m
     where m.user_id = p_user and m.source_id = v_source.source_id and m.row_key = evervec.check_row_key(v_source, p_row_key);
    return found;
end
$$;

comment on function evervec.clear_mark(text, text, jsonb) is
$$Takes back that a user has or dismissed a row, as interactions have it (of a type that marks): it may be recommended again. The interactions themselves stay. Returns false when there was no mark. What a signal says that the user has is not recommended all the same. Raises VE101, VE202, VE501, VE502.$$;

revoke execute on function evervec.clear_mark(text, text, jsonb) from public;

-- file: functions/interaction/create_signal.sql
-- create_signal: signal_<source>_<signal>, what a signal says of one user, or (NULL) of all.
--
-- A branch each, so that the condition on one user reaches the index of the user's table. The user's text is read as the type of user_id, and
-- what that type would not print so again is nobody. The result is of a type of ours, because the columns of TABLE are variables, which
-- a name in the query would mean when its column is gone.
-- Locks:  as signal_columns.
-- Raises: VE110, VE505 as signal_columns
create or replace function evervec.create_signal(p_source evervec.source, p_signal evervec.signal)
returns text[]
language plpgsql
set search_path from current
as $$
declare
    v_columns jsonb := evervec.signal_columns(p_source, p_signal.query, p_signal.key_columns);
    v_values  text := evervec.signal_values(p_source, v_columns, p_signal.key_columns);
    v_named   evervec.source := p_source;
    v_known   text := (select string_agg(format('q.%I is not null', k), ' and ') from unnest(p_signal.key_columns) k);
begin
    v_named.name := format('%s_%s', p_source.name, p_signal.name);
    perform evervec.create_row_function(
        v_named, 'signal', 'text', 'setof evervec.signal_row', true,
        format(
            $body$
        begin
            if $1 is null then
                return query select %1$s from (%2$s
                ) as q where q.user_id is not null and %3$s;
                return;
            end if;
            begin
                if ($1::%4$s)::text is distinct from $1 then
                    return;
                end if;
            exception when data_exception then
                return;
            end;
            return query select %1$s from (%2$s
            ) as q where q.user_id = $1::%4$s and %3$s;
        end
            $body$,
            v_values, p_signal.query, v_known, v_columns ->> 'user_id'));
    execute format('comment on function evervec.%I(text) is %L', 'signal_' || v_named.name,
                   format('What the signal %s of %s says of a user, or (NULL) of all.', p_signal.name, p_source.relation));
    return array(select c from unnest(array['rating', 'frequency', 'amount', 'weight', 'at']) c
                  where v_columns ? c and c <> all (p_signal.key_columns));
end
$$;

comment on function evervec.create_signal(evervec.source, evervec.signal) is
$$Internal. Creates or replaces signal_<source>_<signal>; returns which of the optional columns the query gives. Raises VE110, VE505.$$;

revoke execute on function evervec.create_signal(evervec.source, evervec.signal) from public;

-- file: functions/interaction/drop_partitions.sql
-- drop_partitions: removes the oldest partition of interactions, if all in it is past its time.
--
-- Whoever writes or reads interactions waits behind the lock that this wants, so it gives up at once, and comes again. One a call, and as
-- the last of what a transaction does, because the lock is held until its end.
-- Locks:  ACCESS EXCLUSIVE on evervec.interaction and the partition, for which it waits 50 ms at most.
-- needs: functions/control/setting_interval.sql
create or replace function evervec.drop_partitions()
returns bigint
language plpgsql
set search_path from current
set lock_timeout = '50ms'
set timezone = 'UTC'
as $$
declare
    v_partition regclass;
begin
    select c.oid
      into v_partition
      from pg_inherits i
      join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'evervec.interaction'::regclass and c.relname ~ '^interaction_\d{4,}_\d\d$'
       and to_timestamp(substring(c.relname from 13), 'YYYY_MM') + interval '1 month' < now() - evervec.setting_interval('interaction_keep', '1 year')
     order by c.relname
     limit 1;
    if not found then
        return 0;
    end if;
    execute format('drop table %s', v_partition);
    return 1;
exception when lock_not_available then
    return 0;
end
$$;

comment on function evervec.drop_partitions() is
$$Internal. Drops the oldest partition of interactions that is wholly past its time (interaction_keep); returns 1, or 0 when there is none, or when it is in use.$$;

revoke execute on function evervec.drop_partitions() from public;

-- file: functions/interaction/drop_signal.sql
-- drop_signal: takes back what add_signal made.
--
-- Locks:  none that matter.
-- Raises: VE101 unknown source · VE506 unknown signal · 2BP01 something else uses its function
create or replace function evervec.drop_signal(p_source text, p_name text)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    delete from evervec.signal s where s.source_id = v_source.source_id and s.name = p_name;
    if not found then
        raise exception using
            errcode = 'VE506',
            message = format('source "%s" has no signal %s', p_source, coalesce(quote_literal(p_name), 'NULL')),
            detail  = coalesce((select 'Its signals: ' || string_agg(s.name, ', ' order by s.name) || '.'
                                  from evervec.signal s where s.source_id = v_source.source_id), 'It has none.'),
            hint    = 'Names are case-sensitive.';
    end if;
    execute format('drop function if exists evervec.%I(text)', format('signal_%s_%s', p_source, p_name));
end
$$;

comment on function evervec.drop_signal(text, text) is
$$Removes a signal of a source, and its function. Raises VE101, VE506, 2BP01.$$;

revoke execute on function evervec.drop_signal(text, text) from public;

-- file: functions/interaction/keep_interactions.sql
-- keep_interactions: checks interactions, and records those whose key was not seen before; the one place where that is done.
--
-- All at once; keys and marks are written in order, so that two who write the same wait for each other and do not deadlock.
-- Locks:  the keys and marks that it writes; those of make_partition for an interaction of a month that has none.
-- Raises: VE101 unknown source · VE202, VE303 bad row_key · VE501, VE502 bad user · VE503 unknown type · VE504 otherwise no interaction
create or replace function evervec.keep_interactions(
    p_interactions jsonb,
    out ids        bigint[],
    out recorded   bigint
)
language plpgsql
set search_path from current
as $$
declare
    v_kept   interval := evervec.setting_interval('interaction_keep', '1 year');
    v_given  evervec.interaction[];
    v_keys   text[];
    v_fresh  evervec.interaction[];
    v_type   text;
    v_detail text;
begin
    perform evervec.check_user(u.user_id)
       from (select distinct i.e ->> 'user' as user_id from jsonb_array_elements(p_interactions) as i (e)) u;

    select i.type into v_type
      from (select distinct i.e ->> 'type' as type from jsonb_array_elements(p_interactions) as i (e)) i
     where not exists (select from evervec.interaction_type t where t.name = i.type)
     limit 1;
    if found then
        raise exception using
            errcode = 'VE503',
            message = format('%s is not a type of interaction', coalesce(quote_literal(v_type), 'NULL')),
            detail  = (select format('There are %s.', string_agg(t.name, ', ' order by t.name)) from evervec.interaction_type t),
            hint    = format('Names are case-sensitive. To add it: SELECT evervec.add_interaction_type(%L, 0.5);', coalesce(v_type, '…'));
    end if;

    with given as materialized (
        select i.n, r.*
          from jsonb_array_elements(p_interactions) with ordinality as i (e, n)
          cross join lateral jsonb_to_record(i.e) as r (
              "user" text, source text, row_key jsonb, type text, value double precision, context jsonb, key text, at timestamptz)
    ), keyed as materialized (
        select s.source, (evervec.source_named(s.source)).source_id, s.places,
               evervec.checked_keys(evervec.source_named(s.source), s.row_keys) as row_keys
          from (
            select g.source, array_agg(g.n order by g.n) filter (where g.row_key is not null) as places,
                   array_agg(g.row_key order by g.n) filter (where g.row_key is not null) as row_keys
              from given g
             group by g.source
          ) s
    ), placed as materialized (
        select u.n, u.row_key from keyed k cross join lateral unnest(k.places, k.row_keys) as u (n, row_key)
    )
    select array_agg(row(nextval('evervec.interaction_interaction_id_seq'), g."user", k.source_id, p.row_key, g.type, g.value,
                         coalesce(g.context, '{}'), coalesce(g.at, now()))::evervec.interaction order by g.n),
           array_agg(g.key order by g.n)
      into v_given, v_keys
      from given g
      join keyed k on k.source is not distinct from g.source
      left join placed p on p.n = g.n;

    select d.problem
      into v_detail
      from unnest(v_given, v_keys) as g (interaction_id, user_id, source_id, row_key, type, value, context, occurred_at, key)
      join evervec.interaction_type t on t.name = g.type
      cross join lateral (
        select case
                   when not abs(g.value) <= 1e9 then format('Its value is %s; a value is a number of at most a billion either way.', g.value)
                   when t.rated and g.value is null then format('It has no value; that of a %s is the rating.', g.type)
                   when t.marks is not null and g.row_key is null then format('It has no row_key; a %s is about a row.', g.type)
                   when jsonb_typeof(g.context) <> 'object' then 'Its context is no JSON object.'
                   when octet_length(g.context::text) > 8192
                       then format('Its context has %s bytes; 8192 are the most.', octet_length(g.context::text))
                   when g.key !~ '\S' or octet_length(g.key) > 200 then 'Its key is blank, or longer than 200 bytes.'
                   when not g.occurred_at between now() - v_kept and now() + interval '1 day'
                       then format('It is of %s; interactions are kept for %s, and are at most a day ahead.', g.occurred_at, v_kept)
               end as problem
      ) d
     where d.problem is not null
     limit 1;
    if found then
        raise exception using
            errcode = 'VE504',
            message = 'this interaction cannot be recorded',
            detail  = v_detail,
            hint    = 'For example: SELECT evervec.record_interaction(''ada'', ''film'', ''{"id": 1}'', ''rating'', 4.5);';
    end if;

    -- A key that another transaction is writing is waited for; what that one has recorded is seen by the next statement.
    with fresh as (
        insert into evervec.interaction_key (user_id, key, interaction_id)
        select g.user_id, g.key, g.interaction_id
          from unnest(v_given, v_keys) as g (interaction_id, user_id, source_id, row_key, type, value, context, occurred_at, key)
         where g.key is not null
         order by g.user_id, g.key, g.interaction_id
        on conflict do nothing
        returning interaction_id
    )
    select coalesce(array_agg(g.given), '{}'), count(*)
      into v_fresh, recorded
      from (select unnest(v_given) as given, unnest(v_keys) as key) g
     where g.key is null or (g.given).interaction_id in (select f.interaction_id from fresh f);
    perform evervec.make_partition(m.month at time zone 'UTC')
       from (select distinct date_trunc('month', f.occurred_at at time zone 'UTC') as month from unnest(v_fresh) as f) m;
    insert into evervec.interaction (interaction_id, user_id, source_id, row_key, type, value, context, occurred_at)
    overriding system value
    select f.* from unnest(v_fresh) as f;
    insert into evervec.row_mark as m (user_id, source_id, row_key, mark, marked_at)
    select distinct on (f.user_id, f.source_id, f.row_key) f.user_id, f.source_id, f.row_key, t.marks, f.occurred_at
      from unnest(v_fresh) as f
      join evervec.interaction_type t on t.name = f.type
     where t.marks is not null
     order by f.user_id, f.source_id, f.row_key, f.occurred_at desc, f.interaction_id desc
    on conflict (user_id, source_id, row_key) do update
       set mark = excluded.mark, marked_at = excluded.marked_at
     where excluded.marked_at >= m.marked_at;

    ids := array(
        select coalesce((select k.interaction_id from evervec.interaction_key k where k.user_id = g.user_id and k.key = g.key), g.interaction_id)
          from unnest(v_given, v_keys) with ordinality
               as g (interaction_id, user_id, source_id, row_key, type, value, context, occurred_at, key, n)
         order by g.n);
end
$$;

comment on function evervec.keep_interactions(jsonb) is
$$Internal. Records interactions, an array of objects with user, source, row_key, type, value, context, key and at; ids: of each, that of then for a key seen before; recorded: how many are new. Raises VE101, VE202, VE303, VE501, VE502, VE503, VE504.$$;

revoke execute on function evervec.keep_interactions(jsonb) from public;

-- file: functions/people/current_user_id.sql
-- current_user_id: which user of the application the session speaks for; NULL: none is known.
--
-- Claims come first: PostgREST and Supabase set them from a token that they have checked, and whoever talks to those cannot set anything.
-- A role that may run any SQL can set claims as well as evervec.user_id: this tells well-meaning users apart, not attackers from each other.
-- Locks:  none.
create or replace function evervec.current_user_id()
returns text
language plpgsql stable
set search_path from current
as $$
declare
    v_claims text := nullif(current_setting('request.jwt.claims', true), '');
    v_user   text;
begin
    if v_claims is not null then
        begin
            v_user := v_claims::jsonb ->> 'sub';
        exception when data_exception then
            return null;
        end;
    end if;
    return coalesce(nullif(v_user, ''), nullif(current_setting('request.jwt.claim.sub', true), ''),
                    nullif(current_setting('evervec.user_id', true), ''));
end
$$;

comment on function evervec.current_user_id() is
$$The user of the application that the session speaks for: the claim sub that PostgREST and Supabase set, or else evervec.user_id (SET LOCAL evervec.user_id = '…'). NULL: nobody is named, or the claims are no JSON. A role that may run any SQL can name whom it likes.$$;

revoke execute on function evervec.current_user_id() from public;

-- file: functions/people/acts_for_all.sql
-- acts_for_all: whether the session's role may see and change what is kept of every user: evervec's owner, workers and admins.
--
-- The role is the one that the session has set, or else its user: this is asked within functions that run with other rights than their caller's.
-- Locks:  none.
create or replace function evervec.acts_for_all()
returns boolean
language sql stable security definer
set search_path from current
as $$
    select exists (
        select
          from pg_roles r
         where r.rolname = coalesce(nullif(current_setting('role'), 'none'), session_user)
           and (pg_has_role(r.oid, (select n.nspowner from pg_namespace n where n.nspname = 'evervec'), 'usage')
                or exists (
                    select
                      from evervec.access a
                      join pg_roles g on g.oid = a.role
                     where a.kind in ('worker', 'admin') and pg_has_role(r.oid, g.oid, 'usage'))))
$$;

comment on function evervec.acts_for_all() is
$$Internal. Whether the session's role is evervec's owner, a worker or an admin, for whom every user is theirs.$$;

revoke execute on function evervec.acts_for_all() from public;

-- file: functions/people/confine_to_user.sql
-- confine_to_user: row-level security for a table with a user in it: everybody sees and writes what is theirs, and workers and admins all.
--
-- The same for partitions, which somebody could read by their own names. Calls stand in subqueries, so that they are made once a statement.
-- Locks:  ACCESS EXCLUSIVE on the table.
-- needs: functions/people/current_user_id.sql
-- needs: functions/people/acts_for_all.sql
create or replace function evervec.confine_to_user(p_relation regclass)
returns void
language plpgsql
set search_path from current
as $$
begin
    execute format('alter table %s enable row level security', evervec.qualified_name(p_relation));
    if not exists (select from pg_policy p where p.polrelid = p_relation and p.polname = 'own_rows') then
        execute format(
            'create policy own_rows on %s using (user_id = (select evervec.current_user_id()) or (select evervec.acts_for_all()))',
            evervec.qualified_name(p_relation));
    end if;
end
$$;

comment on function evervec.confine_to_user(regclass) is
$$Internal. Enables row-level security on a table with a column user_id, with one policy: own_rows.$$;

revoke execute on function evervec.confine_to_user(regclass) from public;

-- file: functions/interaction/make_partition.sql
-- make_partition: the partition of interactions that a moment falls into, made if it is not there.
--
-- Made apart and attached: that lets people write and read meanwhile, which PARTITION OF would not. Months are those of UTC.
-- Locks:  SHARE UPDATE EXCLUSIVE on evervec.interaction where one is made: that waits only for another one's being made.
-- needs: functions/people/confine_to_user.sql
create or replace function evervec.make_partition(p_at timestamptz)
returns boolean
language plpgsql
set search_path from current
set timezone = 'UTC'
as $$
declare
    v_name text := format('evervec.interaction_%s', to_char(p_at, 'YYYY_MM'));
begin
    if to_regclass(v_name) is not null then
        return false;
    end if;
    perform pg_advisory_xact_lock(evervec.lock_key('partitions'));
    if to_regclass(v_name) is not null then
        return false;
    end if;
    execute format('create table %s (like evervec.interaction including defaults including constraints)', v_name);
    execute format('alter table %s replica identity full', v_name);
    execute format('comment on table %s is %L', v_name, format('Interactions of %s.', to_char(p_at, 'YYYY-MM')));
    perform evervec.confine_to_user(v_name::regclass);
    execute format('alter table evervec.interaction attach partition %s for values from (%L) to (%L)', v_name,
                   date_trunc('month', p_at), date_trunc('month', p_at) + interval '1 month');
    return true;
end
$$;

comment on function evervec.make_partition(timestamptz) is
$$Internal. Makes the partition of evervec.interaction for the month of a moment; false when it is there.$$;

revoke execute on function evervec.make_partition(timestamptz) from public;

-- file: functions/interaction/make_partitions.sql
-- make_partitions: the partitions of interactions of this month and the next two, so that nobody who writes has to make one.
--
-- Locks:  as make_partition.
-- needs: functions/interaction/make_partition.sql
create or replace function evervec.make_partitions()
returns integer
language sql volatile security definer
set search_path from current
set timezone = 'UTC'
as $$
    select count(*) filter (where evervec.make_partition(now() + m.n * interval '1 month'))::integer from generate_series(0, 2) as m (n)
$$;

comment on function evervec.make_partitions() is
$$Internal. Makes the partitions of interactions of this month and the next two; returns how many were missing. Maintenance calls it; an interaction of another month gets its partition when it is recorded.$$;

revoke execute on function evervec.make_partitions() from public;

-- file: functions/interaction/move_interactions.sql
-- move_interactions: what people did with a row, when the row has another key now.
--
-- Interactions are kept by the key that the row had; nothing moves them by itself, because a key may come to name another thing.
-- Where a user has marks under both keys, the newer one counts.
-- Locks:  the interactions and marks of the row.
-- Raises: VE101 unknown source · VE202, VE303 bad row_key
create or replace function evervec.move_interactions(p_source text, p_from jsonb, p_to jsonb)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_keys   jsonb[] := evervec.checked_keys(v_source, array[p_from, p_to]);
    v_moved  bigint;
begin
    if v_keys[1] = v_keys[2] then
        return 0;
    end if;
    update evervec.interaction i set row_key = v_keys[2] where i.source_id = v_source.source_id and i.row_key = v_keys[1];
    get diagnostics v_moved = row_count;
    with former as (
        delete from evervec.row_mark m where m.source_id = v_source.source_id and m.row_key = v_keys[1] returning m.user_id, m.mark, m.marked_at
    )
    insert into evervec.row_mark as m (user_id, source_id, row_key, mark, marked_at)
    select f.user_id, v_source.source_id, v_keys[2], f.mark, f.marked_at from former f order by f.user_id
    on conflict (user_id, source_id, row_key) do update
       set mark = excluded.mark, marked_at = excluded.marked_at
     where excluded.marked_at > m.marked_at;
    return v_moved;
end
$$;

comment on function evervec.move_interactions(text, jsonb, jsonb) is
$$Gives the interactions and marks of a row to another key, after the row's key was changed; returns how many interactions that were. p_from, p_to: the row_key that was, and the one that is. Reads all interactions. Raises VE101, VE202, VE303.$$;

revoke execute on function evervec.move_interactions(text, jsonb, jsonb) from public;

-- file: functions/interaction/record_interaction.sql
-- record_interaction: one thing that a user did.
--
-- Locks:  as keep_interactions: a key, and a mark, that another transaction is writing.
-- Raises: VE101 unknown source · VE202, VE303 bad row_key · VE501, VE502 bad user · VE503 unknown type · VE504 otherwise no interaction
create or replace function evervec.record_interaction(
    p_user    text,
    p_source  text,
    p_row_key jsonb,
    p_type    text,
    p_value   double precision default null,
    p_context jsonb default '{}',
    p_key     text default null,
    p_at      timestamptz default now()
)
returns bigint
language plpgsql security definer
set search_path from current
as $$
begin
    return (select k.ids[1]
              from evervec.keep_interactions(jsonb_build_array(jsonb_build_object(
                       'user', p_user, 'source', p_source, 'row_key', p_row_key, 'type', p_type,
                       'value', p_value, 'context', p_context, 'key', p_key, 'at', p_at))) k);
end
$$;

comment on function evervec.record_interaction(text, text, jsonb, text, double precision, jsonb, text, timestamptz) is
$$Records what a user did, and returns the interaction's id. p_user: the one whom the session speaks for (current_user_id), or anybody for workers and admins. p_row_key: the row, which need not exist; NULL where none is concerned, as in a search. p_type: as view, or one of add_interaction_type. p_value: a number, the rating of a rating. p_context: a JSON object of 8 kB at most (default {}). p_key: of 1 to 200 bytes; with a key that was seen of this user before nothing is recorded, and the id of then returned (NULL, the default: always recorded). p_at: when it was (default now), not longer ago than interactions are kept (interaction_keep, 1 year), and at most a day ahead. Raises VE101, VE202, VE303, VE501, VE502, VE503, VE504.$$;

revoke execute on function evervec.record_interaction(text, text, jsonb, text, double precision, jsonb, text, timestamptz) from public;

-- file: functions/interaction/record_interactions.sql
-- record_interactions: many interactions at once, or none of them.
--
-- Which one is to blame is found by trying halves, after they were refused together; what the tries record goes with the error.
-- Locks:  as keep_interactions.
-- Raises: VE504 no array, too many, or one that cannot be recorded · VE101, VE202, VE303, VE501, VE502, VE503 as record_interaction
-- needs: functions/interaction/keep_interactions.sql
create or replace function evervec.record_interactions(p_interactions jsonb)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    c_members constant text[] := array['user', 'source', 'row_key', 'type', 'value', 'context', 'key', 'at'];
    v_problem text;
    v_first   integer := 0;
    v_middle  integer;
    v_last    integer;
    v_state   text;
    v_message text;
    v_detail  text;
    v_hint    text;
begin
    if jsonb_typeof(p_interactions) is distinct from 'array' then
        v_problem := 'It is no JSON array.';
    elsif jsonb_array_length(p_interactions) > 10000 then
        v_problem := format('There are %s; 10000 are the most of a call.', jsonb_array_length(p_interactions));
    else
        select format('Element %s %s.', i.n, case when jsonb_typeof(i.e) <> 'object' then 'is no JSON object'
                                                  else format('has a member %I; those known are %s', m.name, array_to_string(c_members, ', ')) end)
          into v_problem
          from jsonb_array_elements(p_interactions) with ordinality as i (e, n)
          left join lateral (
            select k.name from jsonb_object_keys(case when jsonb_typeof(i.e) = 'object' then i.e else '{}' end) as k (name)
             where k.name <> all (c_members)
             limit 1) m on true
         where jsonb_typeof(i.e) <> 'object' or m.name is not null
         order by i.n
         limit 1;
    end if;
    if v_problem is not null then
        raise exception using
            errcode = 'VE504', message = 'these are no interactions', detail = v_problem,
            hint    = 'For example: [{"user": "ada", "source": "film", "row_key": {"id": 1}, "type": "rating", "value": 4.5}]';
    end if;
    begin
        return (select k.recorded from evervec.keep_interactions(p_interactions) k);
    exception when others then
        -- A conflict with another transaction is nobody's fault.
        if sqlstate !~ '^(VE|2)' then
            raise;
        end if;
    end;
    v_last := jsonb_array_length(p_interactions) - 1;
    while v_first <= v_last loop
        v_middle := (v_first + v_last) / 2;
        begin
            perform evervec.keep_interactions(jsonb_path_query_array(p_interactions, format('$[%s to %s]', v_first, v_middle)::jsonpath));
            v_first := v_middle + 1;
        exception when others then
            if v_middle > v_first then
                v_last := v_middle;
                continue;
            end if;
            get stacked diagnostics v_state = returned_sqlstate, v_message = message_text, v_detail = pg_exception_detail, v_hint = pg_exception_hint;
            raise exception using
                errcode = case when v_state like 'VE%' then v_state else 'VE504' end,
                message = v_message,
                detail  = format('Element %s of %s. %s', v_first + 1, jsonb_array_length(p_interactions), v_detail),
                hint    = coalesce(nullif(v_hint, ''), 'Nothing was recorded. Correct that element, and send all again.');
        end;
    end loop;
    raise exception using
        errcode = 'serialization_failure', message = 'what interactions were refused for has changed meanwhile',
        detail  = 'Together they were refused; in parts they are not.', hint = 'Send them again.';
end
$$;

comment on function evervec.record_interactions(jsonb) is
$$Records many interactions at once, and returns how many are new (those whose key was seen before are not). p_interactions: a JSON array of at most 10000 objects with the members user, source, row_key, type, value, context, key and at, as the parameters of record_interaction. One that is refused refuses all; the DETAIL has its place, from 1. Raises VE101, VE202, VE303, VE501, VE502, VE503, VE504.$$;

revoke execute on function evervec.record_interactions(jsonb) from public;

-- file: functions/interaction/renew_signals.sql
-- renew_signals: writes the functions of all signals of a source anew; one that cannot be written is noted, and keeps nothing from being done.
--
-- Locks:  as signal_columns.
create or replace function evervec.renew_signals(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_signal evervec.signal;
begin
    for v_signal in select * from evervec.signal s where s.source_id = p_source.source_id order by s.name loop
        begin
            update evervec.signal s
               set columns = evervec.create_signal(p_source, v_signal), last_error = null
             where s.signal_id = v_signal.signal_id;
        exception
            when transaction_rollback or insufficient_resources or operator_intervention or object_not_in_prerequisite_state then
                raise;
            when others then
                update evervec.signal s set last_error = sqlerrm where s.signal_id = v_signal.signal_id;
        end;
    end loop;
end
$$;

comment on function evervec.renew_signals(evervec.source) is
$$Internal. Creates or replaces signal_<source>_<signal> for every signal of a source; an error is noted in evervec.signal.$$;

revoke execute on function evervec.renew_signals(evervec.source) from public;

-- file: functions/interaction/signal_columns.sql
-- signal_columns: the columns that a signal's query gives, with their types, found by making a view of it; and whether it may be run at all.
--
-- It is run with the rights of the owner of the source's table, as recipes are. The view lives for a moment, under a name of evervec's own.
-- Locks:  those of CREATE VIEW and DROP VIEW: ACCESS SHARE on what it reads.
-- Raises: VE110 it reads what that owner may not, or reaches what anybody could replace · VE505 no query of that kind
create or replace function evervec.signal_columns(p_source evervec.source, p_query text, p_keys text[])
returns jsonb
language plpgsql
set search_path from current
as $$
declare
    v_columns jsonb;
    v_view    regclass;
    v_owner   oid := (select c.relowner from pg_class c where c.oid = p_source.relation);
    v_detail  text;
    v_hidden  record;
begin
    perform pg_advisory_xact_lock(evervec.lock_key('analyse'));
    begin
        execute format(E'create view evervec.analysed as select q.* from (%s\n) as q', p_query);
        v_view := to_regclass('evervec.analysed');
        v_columns := (
            select jsonb_object_agg(a.attname, format_type(a.atttypid, null))
              from pg_attribute a
             where a.attrelid = v_view and a.attnum > 0 and not a.attisdropped);
        v_detail := (
            select 'It gives no column ' || string_agg(quote_ident(c.name), ', ')
              from unnest('user_id'::text || p_keys) with ordinality as c (name, n)
             where not v_columns ? c.name);
        if v_detail is null then
            execute format('create view evervec.analysed_values (user_id, row_key, rating, frequency, amount, weight, at) as select %s from evervec.analysed as q',
                           evervec.signal_values(p_source, v_columns, p_keys));
            drop view evervec.analysed_values;
        end if;
    exception
        when syntax_error_or_access_rule_violation or feature_not_supported or grouping_error or data_exception then
            get stacked diagnostics v_detail = message_text;
    end;
    if v_detail is null and not evervec.is_scalar(v_columns ->> 'user_id') then
        v_detail := format('Its user_id is of type %s', v_columns ->> 'user_id');
    end if;
    if v_detail is not null then
        raise exception using
            errcode = 'VE505',
            message = format('this is no query for a signal of source "%s"', p_source.name),
            detail  = v_detail,
            hint    = format('A query gives user_id and %s, and may give rating, frequency, amount, weight and at; tables are named with their schema.',
                             (select string_agg(quote_ident(k), ', ') from unnest(p_keys) k));
    end if;
    perform evervec.check_references('a signal', v_view);
    select c.oid::regclass as relation,
           has_any_column_privilege(v_owner, c.oid, 'select') and has_schema_privilege(v_owner, c.relnamespace, 'usage') as readable
      into v_hidden
      from pg_class c
      join pg_roles o on o.oid = v_owner
     where c.oid in (
            select d.refobjid
              from pg_depend d
              join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
             where r.ev_class = v_view and d.refclassid = 'pg_class'::regclass and d.refobjid <> v_view)
       and (not has_any_column_privilege(v_owner, c.oid, 'select') or not has_schema_privilege(v_owner, c.relnamespace, 'usage')
            or c.relrowsecurity and not o.rolbypassrls and (c.relforcerowsecurity or not pg_has_role(v_owner, c.relowner, 'usage')))
     limit 1;
    if found then
        raise exception using
            errcode = 'VE110',
            message = format('a signal of source "%s" cannot read %s', p_source.name, v_hidden.relation),
            detail  = format('It runs with the rights of %s, the owner of %s, %s.', v_owner::regrole, p_source.relation,
                             case when v_hidden.readable then 'from whom row-level security would hide rows' else 'who may not read that' end),
            hint    = case when v_hidden.readable then format('Give %s BYPASSRLS, or a policy.', v_owner::regrole)
                           else format('GRANT SELECT ON %s TO %s;', v_hidden.relation, v_owner::regrole) end;
    end if;
    drop view evervec.analysed;
    return v_columns;
end
$$;

comment on function evervec.signal_columns(evervec.source, text, text[]) is
$$Internal. The columns that a signal's query gives, an object of names and types. Raises VE110, VE505.$$;

revoke execute on function evervec.signal_columns(evervec.source, text, text[]) from public;

-- file: functions/interaction/signal_values.sql
-- signal_values: the select list that makes a signal_row of what a signal's query gives.
--
-- No number comes through that is none, or infinite; a billion is as much as counts, so that sums of weights stay within their type.
-- Locks:  none.
create or replace function evervec.signal_values(p_source evervec.source, p_columns jsonb, p_keys text[])
returns text
language sql immutable
set search_path from current
as $$
    select format('q.user_id::text, evervec.%I(%s), ', 'key_' || p_source.name,
                  (select string_agg(format('q.%I::%s', k.name, k.type), ', ' order by k.n)
                     from unnest(p_keys, p_source.key_types) with ordinality as k (name, type, n)))
           || string_agg(format(case when not p_columns ? v.name or v.name = any (p_keys) then 'null::%2$s as %1$I'
                                     when v.type = 'text' then 'q.%1$I::text as %1$I'
                                     when v.type = 'timestamptz' then 'case when isfinite(q.%1$I::%2$s) then q.%1$I::%2$s end as %1$I'
                                     else 'case when abs(q.%1$I::%2$s) < ''Infinity'' then greatest(least(q.%1$I::%2$s, 1e9), -1e9) end as %1$I'
                                end, v.name, v.type), ', ' order by v.n)
      from unnest(array['rating', 'frequency', 'amount', 'weight', 'at'],
                  array['double precision', 'text', 'double precision', 'double precision', 'timestamptz']) with ordinality as v (name, type, n)
$$;

comment on function evervec.signal_values(evervec.source, jsonb, text[]) is
$$Internal. Select list over q, what a signal's query gives, in the columns of signal_row.$$;

revoke execute on function evervec.signal_values(evervec.source, jsonb, text[]) from public;

-- file: functions/interaction/user_signals.sql
-- user_signals: what the signals of a source say of a user, or (NULL) of all.
--
-- One that fails says nothing, and leaves its error in evervec.signal, for doctor and alerts; only an answer about all users takes that back,
-- because another user may be the reason. What is due to the server or to other transactions is not the signal's fault, and passes through.
-- Locks:  the signal's row where it begins to fail, or ceases to.
create or replace function evervec.user_signals(p_source evervec.source, p_user text, p_signals text[] default null)
returns table (
    signal        text,
    signal_weight double precision,
    user_id       text,
    row_key       jsonb,
    rating        double precision,
    frequency     text,
    amount        double precision,
    weight        double precision,
    at            timestamptz
)
language plpgsql volatile
set search_path from current
as $$
declare
    v_signal evervec.signal;
    v_error  text;
begin
    for v_signal in
        select s.* from evervec.signal s
         where s.source_id = p_source.source_id and (p_signals is null or s.name = any (p_signals))
         order by s.name
    loop
        v_error := null;
        begin
            return query execute format('select $2, $3, r.* from evervec.%I($1) r', format('signal_%s_%s', p_source.name, v_signal.name))
            using p_user, v_signal.name, v_signal.weight;
        exception
            when transaction_rollback or insufficient_resources or operator_intervention or object_not_in_prerequisite_state then
                raise;
            when others then
                v_error := sqlerrm;
        end;
        if v_error is distinct from v_signal.last_error and (v_error is not null or p_user is null)
           and current_setting('transaction_read_only') = 'off' then
            update evervec.signal s set last_error = v_error where s.signal_id = v_signal.signal_id;
        end if;
    end loop;
end
$$;

comment on function evervec.user_signals(evervec.source, text, text[]) is
$$Internal. Rows of the signals of a source (p_signals: of these; NULL: of all), with name and weight of each signal; p_user NULL: of all users. One that fails gives no rows, and notes its error.$$;

revoke execute on function evervec.user_signals(evervec.source, text, text[]) from public;

-- file: functions/model/add_model.sql
-- add_model: makes an embedding model known. Adding the same model again changes nothing.
--
-- Locks:  ROW EXCLUSIVE on evervec.model.
-- Raises: VE109 the name is taken by a different definition, or a value is out of its range
create or replace function evervec.add_model(
    p_name                     text,
    p_provider                 text,
    p_dimensions               integer,
    p_provider_model           text default null,
    p_input_limit              integer default 8191,
    p_price_per_million_tokens numeric default null,
    p_document_prefix          text default '',
    p_query_prefix             text default '',
    p_request                  jsonb default '{}',
    p_requests_per_minute      integer default null,
    p_tokens_per_minute        integer default null,
    p_batch_texts              integer default 100,
    p_batch_tokens             integer default 100000,
    p_concurrent_requests      integer default null
)
returns text
language plpgsql security definer
set search_path from current
as $$
declare
    v_message text;
begin
    insert into evervec.model
        (name, provider, provider_model, dimensions, input_limit, price_per_million_tokens, document_prefix,
         query_prefix, request, requests_per_minute, tokens_per_minute, batch_texts, batch_tokens, concurrent_requests)
    values
        (p_name, p_provider, coalesce(p_provider_model, p_name), p_dimensions, p_input_limit,
         p_price_per_million_tokens, p_document_prefix, p_query_prefix, p_request, p_requests_per_minute,
         p_tokens_per_minute, p_batch_texts, p_batch_tokens, p_concurrent_requests)
    on conflict (name) do nothing;

    if not exists (
        select
          from evervec.model m
         where m.name = p_name
           and (m.provider, m.provider_model, m.dimensions, m.document_prefix, m.query_prefix, m.request)
               is not distinct from
               (p_provider, coalesce(p_provider_model, p_name), p_dimensions, p_document_prefix, p_query_prefix, p_request)
    ) then
        raise exception using
            errcode = 'VE109',
            message = format('model "%s" exists with a different definition', p_name),
            detail  = 'Provider, provider model, dimensions, prefixes and request decide what a vector means; they never change under a name.',
            hint    = 'Add the new definition under another name.';
    end if;
    return p_name;
exception
    when check_violation or not_null_violation then
        get stacked diagnostics v_message = message_text;
        raise exception using
            errcode = 'VE109',
            message = format('model "%s" cannot be added: a value is out of its range', p_name),
            detail  = v_message,
            hint    = 'dimensions: 1 to 16000; limits: positive or NULL; provider: lower-case letters, digits, - and _; request: a JSON object, and so are its members document and query.';
end
$$;

comment on function evervec.add_model(text, text, integer, text, integer, numeric, text, text, jsonb, integer, integer, integer, integer, integer) is
$$Makes an embedding model known and returns its name. p_provider: openai, local, minilm, a profile of the service's environment, or a provider of your own. p_dimensions: length of a vector, 1 to 16000. p_provider_model: the provider's name for it (default: p_name). p_input_limit: tokens a text. p_price_per_million_tokens: in any one currency. p_document_prefix, p_query_prefix: put before texts and queries. p_request: extra members of the request body; those of its members document and query go into requests for texts of that kind only. p_requests_per_minute, p_tokens_per_minute: NULL is unlimited. p_concurrent_requests: in flight at once; these three hold for all workers together (see begin_call). p_batch_texts, p_batch_tokens: most texts and tokens a request. Raises VE109.$$;

revoke execute on function evervec.add_model(text, text, integer, text, integer, numeric, text, text, jsonb, integer, integer, integer, integer, integer) from public;

-- file: functions/model/begin_call.sql
-- begin_call: asks whether a request may be sent to a model now, for all workers on all machines.
--
-- A call counts against requests and tokens a minute from here until a minute after its end, and not after its beginning: it may reach
-- the provider at any time between, so no minute as the provider sees it has one call too many. In flight it counts as concurrent. A call
-- that nobody ends, because its worker was killed, ends when it expires. More tokens than a minute allows go when nothing else went.
--
-- Locks:  an advisory lock of the model and, where its limits say no, its row, to the end of the transaction: commit at once.
-- Raises: VE108 unknown model · VE301 bad arguments, or a transaction with one snapshot
-- needs: functions/control/setting_interval.sql
create or replace function evervec.begin_call(
    p_model     text,
    p_tokens    bigint,
    p_timeout   interval default '2 minutes',
    out call_id bigint,
    out wait    interval
)
language plpgsql security definer
set search_path from current
as $$
declare
    v_model  evervec.model := evervec.model_named(p_model);
    v_window interval := greatest(evervec.setting_interval('rate_window', '60 seconds'), '0');
    v_now    timestamptz;
begin
    if coalesce(p_tokens < 0, true) or coalesce(p_timeout <= interval '0', true)
       or current_setting('transaction_isolation') <> 'read committed' then
        raise exception using
            errcode = 'VE301', message = 'begin_call needs the tokens of the request, a time limit, and READ COMMITTED',
            detail  = format('p_tokens is %s, p_timeout is %s, the transaction is %s.', coalesce(p_tokens::text, 'NULL'),
                             coalesce(p_timeout::text, 'NULL'), current_setting('transaction_isolation')),
            hint    = 'In a transaction of its own: SELECT * FROM evervec.begin_call(''text-embedding-3-small'', 1200);';
    end if;
    perform pg_advisory_xact_lock(evervec.lock_key('calls of model ' || v_model.model_id));
    -- Only now: what the others began must be seen, and time has gone by.
    select * into v_model from evervec.model m where m.model_id = v_model.model_id;
    v_now := clock_timestamp();

    delete from evervec.model_call c
     where c.model_id = v_model.model_id and coalesce(c.finished_at, c.expires_at) <= v_now - v_window;

    with counted as materialized (
        -- frees_at: when it leaves the window at the earliest.
        select c.tokens, c.finished_at is null and c.expires_at > v_now as in_flight,
               coalesce(c.finished_at, least(c.expires_at, v_now)) + v_window as frees_at
          from evervec.model_call c
         where c.model_id = v_model.model_id
    ), ordered as (
        select c.frees_at, row_number() over (order by c.frees_at desc) as requests,
               sum(c.tokens) over (order by c.frees_at desc rows unbounded preceding) as tokens
          from counted c
    )
    select greatest(
               -- The newest that may stay are those that leave room for one more; the first beyond them must leave.
               (select max(o.frees_at) from ordered o where o.requests >= v_model.requests_per_minute),
               (select max(o.frees_at) from ordered o where o.tokens + p_tokens > v_model.tokens_per_minute),
               (select v_now + interval '100 milliseconds' from counted c where c.in_flight
                having count(*) >= v_model.concurrent_requests)) - v_now
      into wait;
    if wait is not null then
        wait := greatest(wait, interval '1 millisecond');
        update evervec.model m set full_until = v_now + wait where m.model_id = v_model.model_id;
    end if;
    if v_model.paused_until > v_now then
        -- Not full: resume_model ends a pause at any time, and then there is room. An end that nobody knows is asked for again.
        wait := greatest(wait, least(v_model.paused_until, v_now + interval '1 hour') - v_now);
    end if;
    if wait is not null then
        return;
    end if;

    insert into evervec.model_call (model_id, tokens, started_at, expires_at)
    values (v_model.model_id, p_tokens, v_now, v_now + p_timeout)
    returning model_call.call_id into call_id;
    wait := interval '0';
end
$$;

comment on function evervec.begin_call(text, bigint, interval) is
$$Asks whether a request of about p_tokens tokens may be sent to a model now, within its requests and tokens a minute and concurrent requests, whoever else sends. call_id: yes, tell end_call when it has ended, at the latest after p_timeout (default 2 minutes). NULL: not now; ask again after wait. Commit at once: the next caller waits for it. Raises VE108, VE301.$$;

revoke execute on function evervec.begin_call(text, bigint, interval) from public;

-- file: functions/model/end_call.sql
-- end_call: says that a request that begin_call allowed has ended, well or not.
--
-- Locks:  the call.
create or replace function evervec.end_call(p_call_id bigint, p_tokens bigint default null)
returns boolean
language sql security definer
set search_path from current
as $$
    with ended as (
        update evervec.model_call c
           set finished_at = clock_timestamp(), tokens = case when p_tokens >= 0 then p_tokens else c.tokens end
         where c.call_id = p_call_id and c.finished_at is null
        returning 1
    )
    select exists (select from ended)
$$;

comment on function evervec.end_call(bigint, bigint) is
$$Ends a call of begin_call; p_tokens: what it really had (NULL: what was said then). Returns false for one that is not known or has ended already.$$;

revoke execute on function evervec.end_call(bigint, bigint) from public;

-- file: functions/model/free_model.sql
-- free_model: a success shows that what paused a model by an error is over.
--
-- What is in flight when a rate limit is reached may still succeed and says nothing: such a pause lasts its time.
-- Locks:  the row of evervec.model, SKIP LOCKED.
create or replace function evervec.free_model(p_model_id integer)
returns void
language plpgsql
set search_path from current
as $$
begin
    -- Read first: this is called for every batch, and nearly always there is nothing to do.
    if exists (select from evervec.model m where m.model_id = p_model_id and m.pause_class is not null) then
        update evervec.model m
           set paused_at = null, paused_until = null, pause_class = null, pause_reason = null
         where m.model_id in (
            select h.model_id
              from evervec.model h
             where h.model_id = p_model_id and (h.pause_class in ('auth', 'quota') or h.paused_until <= clock_timestamp())
               and h.pause_class is not null
               for no key update skip locked);
    end if;
end
$$;

comment on function evervec.free_model(integer) is
$$Internal. Ends a pause of class auth or quota, and forgets one of another class whose time is up; one by hand stays.$$;

revoke execute on function evervec.free_model(integer) from public;

-- file: functions/model/model_named.sql
-- model_named: the model of that name, or the error that every function gives for an unknown one.
--
-- Locks:  none.
-- Raises: VE108 unknown model
create or replace function evervec.model_named(p_model text)
returns evervec.model
language plpgsql stable
set search_path from current
as $$
declare
    v_model evervec.model;
begin
    select * into v_model from evervec.model m where m.name = p_model;
    if not found then
        raise exception using
            errcode = 'VE108',
            message = format('model "%s" does not exist', p_model),
            detail  = coalesce(
                (select 'Known models: ' || string_agg(m.name, ', ' order by m.name) || '.' from evervec.model m),
                'No model is known.'),
            hint    = 'Add it with: SELECT evervec.add_model(''text-embedding-3-small'', ''openai'', 1536);';
    end if;
    return v_model;
end
$$;

comment on function evervec.model_named(text) is
$$Internal. The row of a model by its name. Raises VE108 when there is none.$$;

revoke execute on function evervec.model_named(text) from public;

-- file: functions/model/get_model.sql
-- get_model: what a caller needs to know to embed with a model.
--
-- Locks:  none.
-- Raises: VE108 unknown model
-- needs: functions/model/model_named.sql
create or replace function evervec.get_model(p_name text)
returns table (
    name                text,
    provider            text,
    provider_model      text,
    dimensions          integer,
    input_limit         integer,
    document_prefix     text,
    query_prefix        text,
    request             jsonb,
    batch_texts         integer,
    batch_tokens        integer,
    paused_until        timestamptz,
    concurrent_requests integer,
    limited             boolean
)
language sql stable security definer
set search_path from current
as $$
    select m.name, m.provider, m.provider_model, m.dimensions, m.input_limit, m.document_prefix, m.query_prefix,
           m.request, m.batch_texts, m.batch_tokens, m.paused_until, m.concurrent_requests,
           num_nonnulls(m.requests_per_minute, m.tokens_per_minute, m.concurrent_requests) > 0
      from evervec.model_named(p_name) m
$$;

comment on function evervec.get_model(text) is
$$One model by its name: provider, the provider's name for it, dimensions, limits, prefixes, extra request body. limited: each request needs begin_call. Raises VE108.$$;

revoke execute on function evervec.get_model(text) from public;

-- file: functions/model/hold_model.sql
-- hold_model: an error of the whole service: nothing more is sent to the model for a while.
--
-- Never makes a pause shorter. A pause of the same class that follows, without a success between, prolongs the former one.
-- Locks:  the row of evervec.model.
create or replace function evervec.hold_model(p_model_id integer, p_until timestamptz, p_error_class text, p_reason text)
returns void
language sql
set search_path from current
as $$
    update evervec.model m
       set paused_at    = case when m.pause_class = p_error_class then m.paused_at else clock_timestamp() end,
           paused_until = p_until,
           pause_class  = p_error_class,
           pause_reason = left(p_reason, 1000)
     where m.model_id = p_model_id and (m.paused_until < p_until) is not false
$$;

comment on function evervec.hold_model(integer, timestamptz, text, text) is
$$Internal. Pauses a model until p_until because of an error of the class p_error_class.$$;

revoke execute on function evervec.hold_model(integer, timestamptz, text, text) from public;

-- file: functions/model/pause_model.sql
-- pause_model: sends nothing to a model for a while: its budget is spent, its provider is being moved.
--
-- Locks:  the row of evervec.model.
-- Raises: VE108 unknown model
create or replace function evervec.pause_model(
    p_model  text,
    p_until  timestamptz default 'infinity',
    p_reason text default null
)
returns void
language plpgsql security definer
set search_path from current
as $$
begin
    perform evervec.model_named(p_model);
    update evervec.model m
       set paused_at = clock_timestamp(), paused_until = coalesce(p_until, 'infinity'), pause_reason = p_reason, pause_class = null
     where m.name = p_model;
end
$$;

comment on function evervec.pause_model(text, timestamptz, text) is
$$Stops the work on all sources of a model until p_until (default: until resume_model); changes are logged and queued meanwhile, what is claimed is completed. p_reason is shown by alerts. Raises VE108.$$;

revoke execute on function evervec.pause_model(text, timestamptz, text) from public;

-- file: functions/model/resume_model.sql
-- resume_model: ends a pause of a model, by hand or by an error.
--
-- Jobs that wait because of that error are due at once: the key has been put in, the quota raised.
-- Locks:  the row of evervec.model; waiting jobs of its sources in (source_id, task_type, row_key) order, SKIP LOCKED.
-- Raises: VE108 unknown model
create or replace function evervec.resume_model(p_model text)
returns boolean
language plpgsql security definer
set search_path from current
as $$
declare
    v_model evervec.model := evervec.model_named(p_model);
begin
    select * into v_model from evervec.model m where m.model_id = v_model.model_id for no key update;
    update evervec.model m
       set paused_at = null, paused_until = null, pause_reason = null, pause_class = null
     where m.model_id = v_model.model_id and m.paused_until is not null;
    if v_model.pause_class is not null then
        with waiting as (
            select q.job_id
              from evervec.processing_queue q
             where q.status = 'pending' and q.available_at > clock_timestamp()
               and q.failures #>> '{-1,class}' = v_model.pause_class
               and q.source_id in (select s.source_id from evervec.source s where s.model_id = v_model.model_id)
             order by q.source_id, q.task_type, q.row_key
               for update skip locked
        )
        update evervec.processing_queue q set available_at = clock_timestamp() from waiting w where q.job_id = w.job_id;
    end if;
    return coalesce(v_model.paused_until > clock_timestamp(), false);
end
$$;

comment on function evervec.resume_model(text) is
$$Takes the work on all sources of a model up again; jobs that an error of the same kind put off are due at once. Returns whether it was paused. Raises VE108.$$;

revoke execute on function evervec.resume_model(text) from public;

-- file: functions/people/check_user.sql
-- check_user: refuses to act for a user whom the session does not speak for.
--
-- The first line of every function that is given a user, and runs with the rights of evervec's owner.
-- Locks:  none.
-- Raises: VE501 another user's · VE502 no user
-- needs: functions/people/current_user_id.sql
-- needs: functions/people/acts_for_all.sql
create or replace function evervec.check_user(p_user text)
returns void
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_user text;
begin
    if p_user is null or p_user !~ '\S' or octet_length(p_user) > 200 then
        raise exception using
            errcode = 'VE502',
            message = format('%s is no user', case when octet_length(p_user) > 200 then 'a text of more than 200 bytes'
                                                   else coalesce(quote_literal(p_user), 'NULL') end),
            detail  = 'A user is the text that the application knows one by, of 1 to 200 bytes, such as a uuid.',
            hint    = 'Give p_user; evervec.current_user_id() is the one that the session speaks for.';
    end if;
    v_user := evervec.current_user_id();
    if p_user is distinct from v_user and not evervec.acts_for_all() then
        raise exception using
            errcode = 'VE501',
            message = 'this is another user''s',
            detail  = case when v_user is null then 'The session speaks for no user.'
                           else format('The session speaks for user %L.', v_user) end,
            hint    = 'SET LOCAL evervec.user_id to the user, or connect as a role that was granted worker or admin and so acts for all.';
    end if;
end
$$;

comment on function evervec.check_user(text) is
$$Internal. Raises VE501 where the session does not speak for that user and its role does not act for all, VE502 where it is no user.$$;

revoke execute on function evervec.check_user(text) from public;

-- file: functions/people/user_tables.sql
-- user_tables: all tables of evervec with a user in them, told by the column user_id; so none can be left out.
--
-- Locks:  none.
create or replace function evervec.user_tables()
returns setof regclass
language sql stable
set search_path from current
as $$
    select c.oid::regclass
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped
     where c.relnamespace = 'evervec'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
     order by c.relname
$$;

comment on function evervec.user_tables() is
$$Internal. The tables of evervec that have a column user_id, without partitions.$$;

revoke execute on function evervec.user_tables() from public;

-- file: functions/people/forget_users.sql
-- forget_users: erases all that is kept of users.
--
-- Tables with a user in them; tasks about one, waiting, given up or under way; and errors that quote one. What is left are sums in which many
-- took part (trends), and rows of the application, of which evervec forgets what those forget.
-- Locks:  the rows that are erased.
-- needs: functions/people/user_tables.sql
create or replace function evervec.forget_users(p_users text[])
returns table (kind text, rows bigint)
language plpgsql
set search_path from current
as $$
declare
    v_table regclass;
begin
    for v_table in select t from evervec.user_tables() t loop
        kind := (select c.relname from pg_class c where c.oid = v_table);
        execute format('delete from %s where user_id = any ($1)', v_table) using p_users;
        get diagnostics rows = row_count;
        return next;
    end loop;

    kind := 'processing_queue';
    delete from evervec.processing_queue q where q.row_key is null and q.task_data ->> 'user' = any (p_users);
    get diagnostics rows = row_count;
    return next;
    kind := 'dead_letter';
    delete from evervec.dead_letter d where d.row_key is null and d.task_data ->> 'user' = any (p_users);
    get diagnostics rows = row_count;
    return next;

    update evervec.signal s set last_error = null where exists (select from unnest(p_users) u where strpos(s.last_error, u) > 0);
    update evervec.maintenance m set error = null where exists (select from unnest(p_users) u where strpos(m.error, u) > 0);
end
$$;

comment on function evervec.forget_users(text[]) is
$$Internal. Erases all that is kept of users; returns how many rows of each table that were.$$;

revoke execute on function evervec.forget_users(text[]) from public;

-- file: functions/people/leave.sql
-- leave: these users are gone from the application: forgotten at once, or noted where more could make the writer fail.
--
-- Under REPEATABLE READ and SERIALIZABLE, an erased row that another transaction has changed would be a serialization failure of the writer's.
-- Locks:  the rows that are erased.
-- needs: functions/people/forget_users.sql
create or replace function evervec.leave(p_users text[])
returns void
language plpgsql
set search_path from current
as $$
begin
    if p_users = '{}' then
        return;
    elsif current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        insert into evervec.leaver (user_id) select u from unnest(p_users) u;
    else
        perform evervec.forget_users(p_users);
    end if;
end
$$;

comment on function evervec.leave(text[]) is
$$Internal. Forgets users at once, or, under REPEATABLE READ and SERIALIZABLE, notes them for forget_leavers.$$;

revoke execute on function evervec.leave(text[]) from public;

-- file: functions/people/forget_deleted.sql
-- forget_deleted: trigger of a tracked table of users: who was deleted is forgotten.
--
-- The key is found by its name, or, once that has been changed, by its number: the application's DELETE must not fail for it. A session that
-- bypasses evervec bypasses other triggers, not this one.
-- Locks:  as leave.
-- needs: functions/people/leave.sql
create or replace function evervec.forget_deleted()
returns trigger
language plpgsql security definer
set search_path from current
as $$
declare
    v_key   name;
    v_users text[];
begin
    select a.attname
      into v_key
      from evervec.user_relation u
      join pg_attribute a on a.attrelid = u.relation and not a.attisdropped and (a.attname = u.key_column or a.attnum = u.key_attribute)
     where u.relation = tg_relid
     order by a.attname = u.key_column desc
     limit 1;
    if found then
        execute format('select coalesce(array_agg(distinct o.%1$I::text), ''{}'') from evervec_old o where o.%1$I is not null', v_key) into v_users;
        perform evervec.leave(v_users);
    end if;
    return null;
end
$$;

comment on function evervec.forget_deleted() is
$$Internal. Trigger function on tables of users, for DELETE.$$;

revoke execute on function evervec.forget_deleted() from public;

-- file: functions/people/forget_leavers.sql
-- forget_leavers: forgets who was deleted by transactions that could only note it.
--
-- Locks:  the rows that are erased.
-- needs: functions/people/forget_users.sql
create or replace function evervec.forget_leavers(p_limit integer default 1000)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_users text[] := array(select distinct l.user_id from evervec.leaver l limit p_limit);
begin
    if v_users <> '{}' then
        perform evervec.forget_users(v_users);
    end if;
    return cardinality(v_users);
end
$$;

comment on function evervec.forget_leavers(integer) is
$$Internal. Forgets up to p_limit users (default 1000) who were deleted from a tracked table of users under REPEATABLE READ or SERIALIZABLE; returns how many. Maintenance calls it.$$;

revoke execute on function evervec.forget_leavers(integer) from public;

-- file: functions/people/forget_truncated.sql
-- forget_truncated: trigger of a tracked table of users: all whom evervec knows are forgotten, but those in another tracked table.
--
-- A TRUNCATE does not say who was in the table.
-- Locks:  as leave; ACCESS SHARE on other tables of users.
-- needs: functions/people/leave.sql
create or replace function evervec.forget_truncated()
returns trigger
language plpgsql security definer
set search_path from current
as $$
declare
    v_users text[] := '{}';
    v_table regclass;
    v_other record;
begin
    for v_table in select t from evervec.user_tables() t loop
        execute format('select array(select user_id from %s union select unnest($1))', v_table) into v_users using v_users;
    end loop;
    for v_other in
        select u.relation, a.attname as key_column
          from evervec.user_relation u
          join pg_attribute a on a.attrelid = u.relation and a.attnum = u.key_attribute and not a.attisdropped
         where u.relation <> tg_relid
    loop
        execute format('select array(select unnest($1) except select %I::text from %s)', v_other.key_column, v_other.relation)
           into v_users
          using v_users;
    end loop;
    perform evervec.leave(v_users);
    return null;
end
$$;

comment on function evervec.forget_truncated() is
$$Internal. Trigger function on tables of users, for TRUNCATE.$$;

revoke execute on function evervec.forget_truncated() from public;

-- file: functions/people/forget_user.sql
-- forget_user: erases all that is kept of a user, and says what.
--
-- What another transaction is writing about the user at the time is not seen: end the user's sessions first, or call it again.
-- Locks:  the rows that are erased.
-- Raises: VE501, VE502 bad user
-- needs: functions/people/forget_users.sql
create or replace function evervec.forget_user(p_user text)
returns table (kind text, rows bigint)
language plpgsql security definer
set search_path from current
as $$
begin
    perform evervec.check_user(p_user);
    return query select f.kind, f.rows from evervec.forget_users(array[p_user]) f;
end
$$;

comment on function evervec.forget_user(text) is
$$Erases all that evervec keeps of a user: interactions and their keys, marks, preferences, cached recommendations and analyses, tasks that wait and that gave up, errors that quote the user. kind: the table; rows: how many rows were erased there, 0 as well. Rows of your own tables are yours to delete, and what evervec made of them goes with them. Raises VE501, VE502.$$;

revoke execute on function evervec.forget_user(text) from public;

-- file: functions/people/track_users.sql
-- track_users: who is deleted from a table of the application's is forgotten here.
--
-- Partitioned tables and partitions are refused: a statement that names the one fires no statement trigger of the other.
-- Locks:  SHARE ROW EXCLUSIVE on the table, taken in attempts of half a second with pauses between them.
-- Raises: VE508 not an ordinary table, or without that column · 55P03 the table stays locked
-- needs: functions/core/lock_relation.sql
create or replace function evervec.track_users(p_relation regclass, p_key text)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_kind text;
    v_key  pg_attribute;
begin
    select case when c.oid is null then 'is no relation' when c.relispartition then 'is a partition'
                when c.relkind = 'p' then 'is a partitioned table' when c.relkind <> 'r' then 'is no table'
                when c.relpersistence = 't' then 'is a temporary table' end
      into v_kind
      from (select) x
      left join pg_class c on c.oid = p_relation;
    select a.* into v_key
      from pg_attribute a
     where a.attrelid = p_relation and a.attname = p_key and a.attnum > 0 and not a.attisdropped;
    if v_kind is not null or not found then
        raise exception using
            errcode = 'VE508',
            message = format('users of %s cannot be tracked', coalesce(p_relation::text, 'NULL')),
            detail  = coalesce('It ' || v_kind || '.', format('It has no column %s; its columns: %s.', coalesce(quote_ident(p_key), 'NULL'), (
                select string_agg(a.attname, ', ' order by a.attnum)
                  from pg_attribute a
                 where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped))),
            hint    = 'Name an ordinary table, and the column that has what evervec knows users by. Otherwise call evervec.forget_user() yourself.';
    end if;
    delete from evervec.user_relation u where not exists (select from pg_class c where c.oid = u.relation);
    perform evervec.untrack_users(p_relation);
    perform evervec.lock_relation(p_relation, 'share row exclusive');
    insert into evervec.user_relation (relation, key_column, key_attribute) values (p_relation, v_key.attname, v_key.attnum);
    execute format('create trigger evervec_forget_deleted after delete on %s referencing old table as evervec_old '
                   'for each statement execute function evervec.forget_deleted()', p_relation);
    execute format('create trigger evervec_forget_truncated after truncate on %s for each statement execute function evervec.forget_truncated()', p_relation);
end
$$;

comment on function evervec.track_users(regclass, text) is
$$From now on, who is deleted from a table of the application's is forgotten, as by forget_user: in the same transaction, or, where that is REPEATABLE READ or SERIALIZABLE, within a minute. TRUNCATE: all are forgotten who are in no other tracked table. May be repeated, with another key too. p_relation: an ordinary table. p_key: the column whose text evervec knows users by. A key that is changed moves nothing. Raises VE508, 55P03.$$;

revoke execute on function evervec.track_users(regclass, text) from public;

-- file: functions/people/untrack_users.sql
-- untrack_users: takes back what track_users made.
--
-- Locks:  ACCESS EXCLUSIVE on the table, taken in attempts of half a second with pauses between them: DROP TRIGGER needs it.
-- Raises: 55P03 the table stays locked
-- needs: functions/core/lock_relation.sql
create or replace function evervec.untrack_users(p_relation regclass)
returns boolean
language plpgsql
set search_path from current
as $$
begin
    delete from evervec.user_relation u where u.relation = p_relation;
    if not found then
        return false;
    end if;
    perform evervec.lock_relation(p_relation, 'access exclusive');
    execute format('drop trigger if exists evervec_forget_deleted on %s', p_relation);
    execute format('drop trigger if exists evervec_forget_truncated on %s', p_relation);
    return true;
end
$$;

comment on function evervec.untrack_users(regclass) is
$$Users who are deleted from a table are not forgotten for that any more; returns false where that was so already. p_relation: as given to track_users. Raises 55P03.$$;

revoke execute on function evervec.untrack_users(regclass) from public;

-- file: functions/preference/add_preference.sql
-- add_preference: a kind of preference among the rows of a source, or other rules for one that there is.
--
-- Locks:  the row of evervec.preference.
-- Raises: VE101 unknown source · VE510 unknown weighting · VE511 no name · VE512 a signal or type that does not exist, or not 1 to 20 tastes
create or replace function evervec.add_preference(
    p_source    text,
    p_name      text,
    p_weighting text default 'evervec',
    p_signals   text[] default null,
    p_types     text[] default null,
    p_tastes    integer default 1
)
returns boolean
language plpgsql security definer
set search_path from current
as $$
declare
    v_source  evervec.source := evervec.source_named(p_source);
    v_unknown text;
    v_new     boolean;
begin
    if p_name is null or p_name !~ '\S' or octet_length(p_name) > 200 then
        raise exception using
            errcode = 'VE511',
            message = format('%s is no name for a kind of preference', coalesce(quote_literal(left(p_name, 50)), 'NULL')),
            detail  = 'A name has 1 to 200 bytes, not all of them blanks.',
            hint    = 'default is the kind that is meant where none is named.';
    elsif not exists (select from evervec.weighting w where w.name = p_weighting) then
        raise exception using
            errcode = 'VE510',
            message = format('weighting %s does not exist', coalesce(quote_literal(p_weighting), 'NULL')),
            detail  = format('There are: %s.', (select string_agg(w.name, ', ' order by w.name) from evervec.weighting w)),
            hint    = 'A row in evervec.weighting makes another one.';
    elsif p_tastes is null or p_tastes not between 1 and 20 then
        raise exception using
            errcode = 'VE512',
            message = format('nobody can be given %s tastes', coalesce(p_tastes::text, 'NULL')),
            detail  = 'p_tastes is a number from 1 to 20.',
            hint    = 'Leave it out for 1; 3 to 5 suit those who like several things that are unlike each other.';
    end if;
    select coalesce((select format('signal %L of source "%s"', s.name, p_source)
                       from unnest(p_signals) as s (name)
                      where not exists (select from evervec.signal g where g.source_id = v_source.source_id and g.name = s.name) limit 1),
                    (select format('interaction type %L', t.name)
                       from unnest(p_types) as t (name)
                      where not exists (select from evervec.interaction_type i where i.name = t.name) limit 1))
      into v_unknown;
    if v_unknown is not null then
        raise exception using
            errcode = 'VE512',
            message = format('%s does not exist', v_unknown),
            detail  = format('Signals of the source: %s. Types: %s.',
                             coalesce((select string_agg(s.name, ', ' order by s.name) from evervec.signal s where s.source_id = v_source.source_id), 'none'),
                             (select string_agg(t.name, ', ' order by t.name) from evervec.interaction_type t)),
            hint    = 'Add it first (add_signal, add_interaction_type), or leave p_signals and p_types NULL, so that all count.';
    end if;
    insert into evervec.preference as p (source_id, name, weighting, signals, types, tastes)
    values (v_source.source_id, p_name, p_weighting, p_signals, p_types, p_tastes)
    on conflict (source_id, name) do update
       set weighting = excluded.weighting, signals = excluded.signals, types = excluded.types, tastes = excluded.tastes
    returning xmax = 0 into v_new;
    return v_new;
end
$$;

comment on function evervec.add_preference(text, text, text, text[], text[], integer) is
$$Adds a kind of preference to a source, or gives one other rules; true when it is new. p_name: default is the kind that recommend means when none is named, and needs not be added. p_weighting: how ratings, frequencies and counts become weights: evervec (the default: ratings around the user's own mean, a half-life of 30 days) or collection (ratings of 5, frequency of use, counts within 90 days), or another row of evervec.weighting. p_signals, p_types: which signals and types of interactions count; NULL, the default: all. p_tastes: 1 (the default) sums up all that a user likes; with more, up to 20, rows that are unlike each other make tastes of their own, and recommendations cover each. It shows in what users are recommended when their preferences are next made anew. Raises VE101, VE510, VE511, VE512.$$;

revoke execute on function evervec.add_preference(text, text, text, text[], text[], integer) from public;

-- file: functions/preference/centre_of.sql
-- centre_of: the mean of a source's vectors, taken of 10,000 of them, and once a day.
--
-- Locks:  the source's row of evervec.source_centre, where it is time.
create or replace function evervec.centre_of(p_source evervec.source)
returns vector
language plpgsql
set search_path from current
as $$
declare
    v_centre vector;
begin
    select c.embedding
      into v_centre
      from evervec.source_centre c
     where c.source_id = p_source.source_id and c.model_id = p_source.model_id and c.updated_at > now() - interval '1 day';
    if not found then
        execute format('select evervec.%I($1)', 'centre_' || p_source.name)
           into v_centre
          using least(100, 1000000.0 / greatest(evervec.estimated_rows(p_source.target), 1))::real;
        if v_centre is not null then
            insert into evervec.source_centre as c (source_id, model_id, embedding)
            values (p_source.source_id, p_source.model_id, v_centre)
            on conflict (source_id) do update
               set model_id = excluded.model_id, embedding = excluded.embedding, updated_at = excluded.updated_at;
        end if;
    end if;
    return v_centre;
end
$$;

comment on function evervec.centre_of(evervec.source) is
$$Internal. The mean of the vectors of a source, each of length 1; NULL where it has none.$$;

revoke execute on function evervec.centre_of(evervec.source) from public;

-- file: functions/preference/preferences_of.sql
-- preferences_of: the kinds of preference that a source has; default is one of them whether it was added or not.
--
-- Locks:  none.
create or replace function evervec.preferences_of(p_source_id integer)
returns setof evervec.preference
language sql stable
set search_path from current
as $$
    select p.* from evervec.preference p where p.source_id = p_source_id
    union all
    select 0, p_source_id, 'default', 'evervec', null, null, 1::smallint
     where not exists (select from evervec.preference p where p.source_id = p_source_id and p.name = 'default')
$$;

comment on function evervec.preferences_of(integer) is
$$Internal. The kinds of preference of a source, default among them.$$;

revoke execute on function evervec.preferences_of(integer) from public;

-- file: functions/preference/check_preference.sql
-- check_preference: refuses a kind of preference that a source has not.
--
-- Locks:  none.
-- Raises: VE509 unknown kind of preference
-- needs: functions/preference/preferences_of.sql
create or replace function evervec.check_preference(p_source evervec.source, p_preference text)
returns void
language plpgsql stable
set search_path from current
as $$
declare
    v_kinds text[];
begin
    -- The kind that every source has is the one that is asked for almost always.
    if p_preference = 'default' then
        return;
    end if;
    v_kinds := array(select p.name from evervec.preferences_of(p_source.source_id) p order by p.name);
    if p_preference = any (v_kinds) is not true then
        raise exception using
            errcode = 'VE509',
            message = format('source "%s" has no kind of preference %s', p_source.name, coalesce('"' || p_preference || '"', 'NULL')),
            detail  = format('Its kinds are: %s.', array_to_string(v_kinds, ', ')),
            hint    = 'Add it with evervec.add_preference(…), or leave p_preference out.';
    end if;
end
$$;

comment on function evervec.check_preference(evervec.source, text) is
$$Internal. Raises VE509 for a kind of preference that the source has not.$$;

revoke execute on function evervec.check_preference(evervec.source, text) from public;

-- file: functions/preference/definitions_hash.sql
-- definitions_hash: a number that changes with whatever decides how a source's inputs become preferences: types, weightings, model. (Signals
-- say it themselves.)
--
-- Locks:  none.
-- needs: functions/preference/preferences_of.sql
create or replace function evervec.definitions_hash(p_source evervec.source)
returns numeric
language sql stable
set search_path from current
as $$
    select p_source.model_id
         + (select coalesce(sum(hash_record_extended((t.name, t.weight, t.rated), 2)), 0) from evervec.interaction_type t)
         + (select sum(hash_record_extended((p.name, p.weighting, p.signals, p.types, p.tastes, w.own_mean, w.rating_middle, w.rating_scale, w.rating_lift,
                                             w.unrated, w.half_life, w.period, w.curve, w.saturation, w.frequency), 3))
              from evervec.preferences_of(p_source.source_id) p
              join evervec.weighting w on w.name = p.weighting)
$$;

comment on function evervec.definitions_hash(evervec.source) is
$$Internal. A hash of the interaction types, kinds of preference and weightings that count for a source, and of its model.$$;

revoke execute on function evervec.definitions_hash(evervec.source) from public;

-- file: functions/preference/find_tastes.sql
-- find_tastes: which of a person's rows are of one taste: spherical k-means over the rows that are liked, for many persons at once.
--
-- Without chance: the first taste begins at the row nearest to the sum of all, each further one at the row farthest from those before.
-- Rows that are disliked belong to the taste that they are nearest to.
-- Locks:  none.
create or replace function evervec.find_tastes(
    p_source   evervec.source,
    p_persons  integer[],
    p_row_keys jsonb[],
    p_levels   integer[],
    p_tastes   integer
)
returns integer[]
language plpgsql stable
set search_path from current
as $$
declare
    v_sum      text := format('select array_agg(t.person) as persons, array_agg(t.taste) as tastes, array_agg(l2_normalize(t.total)) as totals '
                              'from evervec.%I($1, $2, $3, $4) t where vector_norm(t.total) > 0', 'taste_' || p_source.name);
    v_nearest  text := format('select array_agg(n.taste order by k.n) as tastes, array_agg(n.similarity order by k.n) as similarities '
                              'from unnest($1) with ordinality as k (person, n) left join evervec.%I($1, $2, $3, $4, $5) n on n.ordinal = k.n',
                              'taste_of_' || p_source.name);
    v_liked          record;
    v_seed           record;
    v_centre_persons integer[];
    v_centre_tastes  integer[];
    v_centre_totals  vector[];
    v_found_tastes   integer[];
    v_similarities   double precision[];
    v_persons        integer[] := array[]::integer[];
    v_tastes         integer[] := array[]::integer[];
    v_totals         vector[] := array[]::vector[];
    v_former         integer[];
begin
    select array_agg(k.person order by k.n) as persons, array_agg(k.row_key order by k.n) as row_keys, array_agg(k.level order by k.n) as levels
      into v_liked
      from unnest(p_persons, p_row_keys, p_levels) with ordinality as k (person, row_key, level, n)
     where k.level > 0;
    if v_liked.persons is null then
        return array_fill(1, array[cardinality(p_persons)]);
    end if;

    execute v_sum into v_centre_persons, v_centre_tastes, v_centre_totals
      using v_liked.persons, v_liked.row_keys, v_liked.levels, array_fill(1, array[cardinality(v_liked.persons)]);
    for v_taste in 1 .. p_tastes loop
        execute v_nearest into v_found_tastes, v_similarities
          using v_liked.persons, v_liked.row_keys, coalesce(v_centre_persons, '{}'), coalesce(v_centre_tastes, '{}'), coalesce(v_centre_totals, '{}');
        select array_agg(s.person) as persons, array_agg(s.row_key) as row_keys, array_agg(1) as levels, array_agg(v_taste) as tastes
          into v_seed
          from (select distinct on (k.person) k.person, k.row_key
                  from unnest(v_liked.persons, v_liked.row_keys, v_similarities) with ordinality as k (person, row_key, similarity, n)
                 where v_taste = 1 and k.similarity is not null or k.similarity < 0.999
                 order by k.person, case when v_taste = 1 then -k.similarity else k.similarity end, k.n) s;
        exit when v_seed.persons is null;
        execute v_sum into v_centre_persons, v_centre_tastes, v_centre_totals using v_seed.persons, v_seed.row_keys, v_seed.levels, v_seed.tastes;
        v_persons := v_persons || v_centre_persons;
        v_tastes := v_tastes || v_centre_tastes;
        v_totals := v_totals || v_centre_totals;
        v_centre_persons := v_persons;
        v_centre_tastes := v_tastes;
        v_centre_totals := v_totals;
    end loop;

    for v_round in 1 .. 10 loop
        execute v_nearest into v_found_tastes, v_similarities using v_liked.persons, v_liked.row_keys, v_persons, v_tastes, v_totals;
        exit when v_found_tastes = v_former;
        v_former := v_found_tastes;
        execute v_sum into v_centre_persons, v_centre_tastes, v_centre_totals using v_liked.persons, v_liked.row_keys, v_liked.levels, v_found_tastes;
        v_persons := coalesce(v_centre_persons, '{}');
        v_tastes := coalesce(v_centre_tastes, '{}');
        v_totals := coalesce(v_centre_totals, '{}');
    end loop;
    execute v_nearest into v_found_tastes, v_similarities using p_persons, p_row_keys, v_persons, v_tastes, v_totals;
    return array(select coalesce(t.taste, 1) from unnest(v_found_tastes) with ordinality as t (taste, n) order by t.n);
end
$$;

comment on function evervec.find_tastes(evervec.source, integer[], jsonb[], integer[], integer) is
$$Internal. For each row, given by person, row_key and level (see learn), which of its person's p_tastes tastes it belongs to.$$;

revoke execute on function evervec.find_tastes(evervec.source, integer[], jsonb[], integer[], integer) from public;

-- file: functions/preference/inputs_hash.sql
-- inputs_hash: the one form of what user_inputs() returns.
--
-- Locks:  none.
create or replace function evervec.inputs_hash(p_definitions numeric, p_signals numeric, p_interaction_id bigint)
returns bytea
language sql immutable
set search_path from current
as $$
    select sha256(format('%s %s %s', p_definitions, coalesce(p_signals, 0), coalesce(p_interaction_id, 0))::bytea)
$$;

comment on function evervec.inputs_hash(numeric, numeric, bigint) is
$$Internal. The hash of all that a user's preferences are made from.$$;

revoke execute on function evervec.inputs_hash(numeric, numeric, bigint) from public;

-- file: functions/preference/weights_query.sql
-- weights_query: the text of the query over ($1 users, $2 source) that gives how much each row counts for each of them.
--
-- docs/people.md has what this is as formulas. Numbers of the application's are taken to be within a billion and a billionth, so that
-- no product of them is infinite, or too small for a float. What people did is read and grouped once, whatever there are of types,
-- and by the hash of a key before the key, as jsonb takes its time to be compared.
-- Locks:  none.
create or replace function evervec.weights_query(p_source evervec.source, p_preference evervec.preference)
returns text
language plpgsql stable
set search_path from current
set extra_float_digits = 3
as $$
declare
    v_weighting evervec.weighting;
    v_number    text := 'case when %1$s = ''NaN'' then null when abs(%1$s) >= 1e-9 then least(greatest(%1$s, -1e9), 1e9) else 0 * %1$s end';
    v_rated     text;
    v_decay     text;
    v_curve     text;
    v_types     text[];
    v_parts     record;
    v_done      text;
    v_said      text;
begin
    select * into v_weighting from evervec.weighting w where w.name = p_preference.weighting;
    -- Of a rating; its user's others are in the window "person".
    v_rated := format('coalesce(%s::float8 + (%%1$s - %s) / %s::float8, %s::float8)', v_weighting.rating_lift,
                      case when v_weighting.own_mean
                           then format('(coalesce(sum(%%1$s) over person, 0) + %s::float8) / (count(%%1$s) over person + 1)', v_weighting.rating_middle)
                           else v_weighting.rating_middle || '::float8' end,
                      v_weighting.rating_scale, v_weighting.unrated);
    -- Of a time in seconds.
    v_decay := case when v_weighting.half_life is null then '1::float8'
                    else format('power(0.5::float8, least(greatest((%s::float8 - %%1$s) / %s::float8, 0), 40))',
                                date_part('epoch', now()), date_part('epoch', v_weighting.half_life)) end;
    v_curve := format(case v_weighting.curve when 'linear' then 'least(greatest(%%1$s, 0) / %1$s::float8, 1)'
                                             else 'greatest(%%1$s, 0) / (greatest(%%1$s, 0) + %1$s::float8)' end, v_weighting.saturation);

    v_types := array(select t.name from evervec.interaction_type t
                      where t.weight <> 0 and (p_preference.types is null or t.name = any (p_preference.types)));
    select string_agg(
               format(case when t.rated then 'max(array[date_part(''epoch'', i.occurred_at), i.interaction_id, %3$s]) filter (where i.type = %1$L) as type_%2$s'
                           else 'coalesce(sum(%4$s) filter (where i.type = %1$L), 0) as type_%2$s' end,
                      t.name, t.n, format(v_number, 'i.value'), format(v_decay, 'date_part(''epoch'', i.occurred_at)')), ', ') as grouped,
           string_agg(
               format(case when t.rated then format('case when g.type_%%2$s is null then 0 else %%1$s::float8 * %s * %s end', format(v_decay, 'g.type_%2$s[1]'),
                                           format(v_rated, 'g.type_%2$s[3]'))
                           else format('%%1$s::float8 * %s', format(v_curve, 'g.type_%2$s')) end || ' as type_%2$s',
                      least(greatest(t.weight, -1e9), 1e9), t.n), ', ') as weighed,
           string_agg(format('w.type_%s', t.n), ' + ') as total,
           string_agg(format('abs(w.type_%s)', t.n), ' + ') as gross
      into v_parts
      from (select t.*, row_number() over (order by t.name) as n from evervec.interaction_type t where t.name = any (v_types)) t;
    if v_types <> '{}' then
        v_done := format(
            $sql$
            select w.person, w.row_key, %s, %s
              from (select g.person, g.row_key, %s
                      from (select u.person, i.row_key, %s
                              -- Grouped, so that the planner knows each user to be there once, and hashes them and not the interactions.
                              from (select u.user_id, min(u.person)::integer as person
                                      from unnest($1) with ordinality as u (user_id, person)
                                     group by u.user_id) u
                              join evervec.interaction i on i.user_id = u.user_id
                             where i.source_id = %s and i.row_key is not null and i.occurred_at > now() - %L::interval%s
                             group by u.person, jsonb_hash_extended(i.row_key, 0), i.row_key) g
                    window person as (partition by g.person)) w
            $sql$,
            v_parts.total, v_parts.gross, v_parts.weighed, v_parts.grouped, p_source.source_id, v_weighting.period,
            case when p_preference.types is not null then format(' and i.type = any (%L)', v_types) end);
    end if;
    if exists (select from evervec.signal s
                where s.source_id = p_source.source_id and (p_preference.signals is null or s.name = any (p_preference.signals))) then
        v_said := format(
            $sql$
            select w.person, w.row_key, sum(w.weight), sum(abs(w.weight))
              from (select x.person, x.row_key,
                           x.signal_weight * coalesce(x.weight, 1) * case when x.amount is null then 1 else %s end
                           * coalesce(%L::jsonb -> x.frequency, %L::jsonb, '1')::float8 * %s * %s as weight
                      from (select u.person::integer, s.signal, %s as signal_weight, s.row_key, %s as rating, s.frequency, %s as amount, %s as weight,
                                   coalesce(date_part('epoch', s.at), 'Infinity') as at
                              from unnest($1) with ordinality as u (user_id, person)
                              cross join lateral evervec.user_signals($2, u.user_id, %L) s) x
                    window person as (partition by x.person, x.signal)) w
             group by w.person, w.row_key
            $sql$,
            format(v_curve, 'x.amount'), v_weighting.frequency, v_weighting.frequency -> '', format(v_rated, 'x.rating'), format(v_decay, 'x.at'),
            format(v_number, 's.signal_weight'), format(v_number, 's.rating'), format(v_number, 's.amount'), format(v_number, 's.weight'),
            p_preference.signals);
    end if;
    -- What is left of sums that cancel out is nothing.
    return format(
        $sql$
        select w.person, w.row_key, w.weight
          from (%s) as w (person, row_key, weight, gross)
         where abs(w.weight) > 1e-9 * w.gross
        $sql$,
        case when v_done is not null and v_said is not null
             then format('select b.person, b.row_key, sum(b.weight), sum(b.gross) '
                         'from (%s union all %s) as b (person, row_key, weight, gross) group by b.person, b.row_key', v_done, v_said)
             else coalesce(v_done, v_said, 'select null::integer, null::jsonb, null::float8, null::float8 where false') end);
end
$$;

comment on function evervec.weights_query(evervec.source, evervec.preference) is
$$Internal. The text of the query over ($1 users, $2 source) that gives person (a position in $1), row_key and weight.$$;

revoke execute on function evervec.weights_query(evervec.source, evervec.preference) from public;

-- file: functions/preference/learn.sql
-- learn: makes the preferences of some users anew, from what they did and what the signals say; for how many it could.
--
-- One statement for all of them, as many as fit into memory together. Weights become levels, 64 an octave (1 %) from 2^24 to 2^-64, so
-- that few different ones meet pgvector, which has no vector × scalar. What all rows of the source have in common is taken away from
-- the sum, unless nothing else is in it.
-- Without parallel workers: they would hand over nearly as many groups as they read rows, which takes longer than to read them.
-- Locks:  their rows of evervec.user_preference; those of centre_of.
-- needs: functions/preference/preferences_of.sql
-- needs: functions/preference/weights_query.sql
-- needs: functions/preference/find_tastes.sql
-- needs: functions/preference/centre_of.sql
create or replace function evervec.learn(p_source evervec.source, p_users text[], p_hashes bytea[], p_preference text default null)
returns integer
language plpgsql
set search_path from current
set max_parallel_workers_per_gather = 0
as $$
declare
    v_centre     double precision[] := evervec.centre_of(p_source)::real[];
    v_preference evervec.preference;
    v_query      text;
    v_persons    integer[];
    v_row_keys   jsonb[];
    v_levels     integer[];
    v_tastes     integer[];
    v_learned    integer;
    v_most       integer := 0;
begin
    for v_preference in
        select * from evervec.preferences_of(p_source.source_id) p where p_preference is null or p.name = p_preference
    loop
        v_query := evervec.weights_query(p_source, v_preference);
        execute format(
            $sql$
            select coalesce(array_agg(l.person), '{}') as persons, coalesce(array_agg(l.row_key), '{}') as row_keys,
                   coalesce(array_agg(l.level), '{}') as levels
              from (select w.person, w.row_key, (sign(w.weight) * (1 + round(64 * (24 - ln(least(abs(w.weight), power(2::float8, 24))) / ln(2::float8)))))::integer
                      from (%s) as w (person, row_key, weight)
                     where abs(w.weight) >= power(2::float8, -64)
                     %s) as l (person, row_key, level)
            $sql$,
            v_query, case when v_preference.tastes > 1 then 'order by w.person, abs(w.weight) desc, w.row_key' end)
            into v_persons, v_row_keys, v_levels using p_users, p_source;
        v_tastes := case when v_preference.tastes = 1 then array_fill(1, array[cardinality(v_persons)])
                         else evervec.find_tastes(p_source, v_persons, v_row_keys, v_levels, v_preference.tastes) end;
        execute format(
            $sql$
            with summed as materialized (
                select t.person, t.taste, t.sample_size as n, vector_norm(t.total) / t.weight as agreement, t.weight, t.length / t.weight as length, t.total,
                       case when t.balance <> 0 and $7 is not null then t.total - vector_avg(1 / t.balance || $7) end as centred,
                       array(select k.row_key
                               from unnest(t.row_keys, t.levels) as k (row_key, level)
                              order by k.level, k.row_key
                              limit 50) as liked
                  from evervec.%I($1, $2, $3, $4) t
            ), learned as (
                select s.*, row_number() over person as number, (s.weight / sum(s.weight) over (partition by s.person)) as share,
                       case when vector_norm(s.centred) > 1e-5 * s.weight then l2_normalize(s.centred) else l2_normalize(s.total) end as direction
                  from summed s
                 where s.agreement > 1e-5
                window person as (partition by s.person order by s.weight desc, s.taste)
            ), present as (
                select u.user_id, u.inputs_hash, coalesce(l.number, 1) as taste, %s as embedding, coalesce(l.share, 1) as share,
                       coalesce((2.5 + l.n * least(l.agreement, 1)) / (5 + l.n), 0.5) as strength,
                       coalesce((l.n + 5) / (l.n + 10)::float8, 0.5) as confidence, coalesce(l.n, 0) as sample_size, coalesce(l.liked, '{}') as liked
                  from unnest($8, $9) with ordinality as u (user_id, inputs_hash, person)
                  left join learned l using (person)
            ), written as (
                insert into evervec.user_preference as p
                       (user_id, source_id, preference_type, taste, embedding, share, strength, confidence, sample_size, liked, inputs_hash, model_id, updated_at)
                select r.user_id, $5, $6, r.taste, r.embedding, r.share, r.strength, r.confidence, r.sample_size, r.liked, r.inputs_hash, $10, clock_timestamp()
                  from present r
                 order by r.user_id, r.taste
                on conflict (source_id, preference_type, user_id, taste) do update
                   set embedding   = excluded.embedding,
                       share       = excluded.share,
                       strength    = excluded.strength,
                       confidence  = excluded.confidence,
                       sample_size = excluded.sample_size,
                       liked       = excluded.liked,
                       inputs_hash = excluded.inputs_hash,
                       model_id    = excluded.model_id,
                       updated_at  = excluded.updated_at
            ), fewer as (
                delete from evervec.user_preference p
                 using (select r.user_id, max(r.taste) as most from present r group by r.user_id) r
                 where p.source_id = $5 and p.preference_type = $6 and p.user_id = r.user_id and p.taste > r.most
            )
            select count(*) from learned l where l.number = 1
            $sql$,
            'taste_' || p_source.name,
            case when p_source.distance in ('cosine', 'inner_product') then 'l.direction'
                 else 'case when l.n > 0 then vector_avg(array_prepend(1 / l.length, l.direction::real[]::float8[])) end' end)
            into v_learned
            using v_persons, v_row_keys, v_levels, v_tastes, p_source.source_id, v_preference.name, v_centre,
                  p_users, p_hashes, p_source.model_id;
        v_most := greatest(v_most, v_learned);
    end loop;
    return v_most;
end
$$;

comment on function evervec.learn(evervec.source, text[], bytea[], text) is
$$Internal. Makes preferences of users anew. p_hashes: their inputs, as user_inputs() has them; p_preference: one kind, NULL: all.$$;

revoke execute on function evervec.learn(evervec.source, text[], bytea[], text) from public;

-- file: functions/preference/user_inputs.sql
-- user_inputs: what a user's preferences are made from, as a hash: other inputs, another hash.
--
-- Cheap, since recommend asks at every call: the rows that the signals give of this user, and the number of the last interaction. A sum of
-- hashes, so that the order of the rows does not matter and nothing is sorted.
-- Locks:  none beyond those of the signals' queries.
-- Raises: VE101 unknown source · VE501 another user's · VE502 no user
-- needs: functions/preference/definitions_hash.sql
-- needs: functions/preference/inputs_hash.sql
create or replace function evervec.user_inputs(p_user text, p_source text)
returns bytea
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source;
begin
    perform evervec.check_user(p_user);
    v_source := evervec.source_named(p_source);
    return evervec.inputs_hash(
        evervec.definitions_hash(v_source),
        (select sum(hash_record_extended(s, 0)) from evervec.user_signals(v_source, p_user) s),
        (select max(i.interaction_id) from evervec.interaction i where i.user_id = p_user and i.source_id = v_source.source_id));
end
$$;

comment on function evervec.user_inputs(text, text) is
$$Internal. A hash of what a user's preferences among the rows of a source are made from, as it is now. Raises VE101, VE501, VE502.$$;

revoke execute on function evervec.user_inputs(text, text) from public;

-- file: functions/preference/update_user_embedding.sql
-- update_user_embedding: makes what is known of a user's preferences anew, at once.
--
-- Locks:  the user's rows of evervec.user_preference.
-- Raises: VE101 unknown source · VE501 another user's · VE502 no user · VE509 unknown kind of preference
-- needs: functions/preference/check_preference.sql
-- needs: functions/preference/learn.sql
-- needs: functions/preference/user_inputs.sql
create or replace function evervec.update_user_embedding(p_user text, p_source text, p_preference text default null)
returns boolean
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source;
begin
    perform evervec.check_user(p_user);
    v_source := evervec.source_named(p_source);
    if p_preference is not null then
        perform evervec.check_preference(v_source, p_preference);
    end if;
    return evervec.learn(v_source, array[p_user], array[evervec.user_inputs(p_user, p_source)], p_preference) > 0;
end
$$;

comment on function evervec.update_user_embedding(text, text, text) is
$$Makes the preferences of a user among the rows of a source anew: a sum of the rows' vectors, weighted by what the user did (record_interaction) and what the signals say (add_signal), dislikes negative. p_preference: one kind (add_preference); NULL, the default: all. False where there is nothing to learn from; the user then has no preference there, whatever was known before. docs/people.md has the formulas. Raises VE101, VE501, VE502, VE509.$$;

revoke execute on function evervec.update_user_embedding(text, text, text) from public;

-- file: functions/preference/update_user_embeddings.sql
-- update_user_embeddings: makes the preferences of all users anew whose inputs have changed, many in one statement.
--
-- Also those of a day ago, since what was done loses weight with time, and rows get other vectors. A user of whom nothing is left loses
-- what there is. Users are taken in the order of their names, so that two who do this at once wait, and do not deadlock.
-- Locks:  the users' rows of evervec.user_preference.
-- Raises: VE101 unknown source · VE204 bad limit
-- needs: functions/preference/learn.sql
-- needs: functions/preference/definitions_hash.sql
-- needs: functions/preference/inputs_hash.sql
create or replace function evervec.update_user_embeddings(p_source text default null, p_limit integer default 10000)
returns bigint
language plpgsql security definer
set search_path from current
set work_mem = '64MB'
as $$
declare
    v_source      evervec.source;
    v_definitions numeric;
    v_chunk       integer;
    v_users       text[];
    v_last        bigint[];
    v_hashes      bytea[];
    v_gone        text[];
    v_left        bigint := p_limit;
begin
    if p_limit is null or p_limit < 1 then
        raise exception using
            errcode = 'VE204', message = format('a limit of %s users makes no sense', coalesce(p_limit::text, 'NULL')),
            detail  = 'p_limit is the number of users that one call makes preferences for at most.',
            hint    = 'Give a limit of 1 or more; 10,000 is the default.';
    elsif p_source is not null then
        perform evervec.source_named(p_source);
    end if;
    for v_source in
        select * from evervec.source s where p_source is null or s.name = p_source order by s.source_id
    loop
        exit when v_left <= 0;
        v_definitions := evervec.definitions_hash(v_source);
        -- Dynamic, because several processes may share what EXECUTE reads.
        execute 'select array_agg(i.user_id), array_agg(i.last) from (select user_id, max(interaction_id) as last from evervec.interaction '
                'where source_id = $1 group by user_id) i'
           into v_users, v_last using v_source.source_id;
        with input as (
            select i.user_id, i.last, null::numeric as signals
              from unnest(v_users, v_last) as i (user_id, last)
            union all
            select s.user_id, null, sum(hash_record_extended(s, 0))
              from evervec.user_signals(v_source, null) s
             group by s.user_id
        ), person as (
            select i.user_id, evervec.inputs_hash(v_definitions, max(i.signals), max(i.last)) as inputs_hash
              from input i
             group by i.user_id
        ), known as (
            -- As text: bytea has no least and greatest before PostgreSQL 18.
            select p.user_id, min(encode(p.inputs_hash, 'hex')) as inputs_hash, max(encode(p.inputs_hash, 'hex')) as other_hash,
                   min(p.updated_at) as updated_at,
                   count(distinct p.preference_type) as kinds
              from evervec.user_preference p
             where p.source_id = v_source.source_id
             group by p.user_id
        ), due as (
            select user_id, i.inputs_hash
              from person i
              full join known k using (user_id)
             where k.user_id is null or i.user_id is null or k.inputs_hash is distinct from encode(i.inputs_hash, 'hex')
                or k.other_hash <> k.inputs_hash
                or k.updated_at < now() - interval '1 day'
                or k.kinds < (select count(*) from evervec.preferences_of(v_source.source_id))
             order by user_id
             limit v_left
        )
        select array_agg(d.user_id order by d.user_id) filter (where d.inputs_hash is not null),
               array_agg(d.inputs_hash order by d.user_id) filter (where d.inputs_hash is not null),
               array_agg(d.user_id) filter (where d.inputs_hash is null)
          into v_users, v_hashes, v_gone
          from due d;
        delete from evervec.user_preference p where p.source_id = v_source.source_id and p.user_id = any (v_gone);
        -- The sums of so many users, arrays of float8, take 16 MB.
        v_chunk := (select greatest(2000000 / m.dimensions, 100) from evervec.model m where m.model_id = v_source.model_id);
        for v_first in 1 .. coalesce(cardinality(v_users), 0) by v_chunk loop
            perform evervec.learn(v_source, v_users[v_first : v_first + v_chunk - 1], v_hashes[v_first : v_first + v_chunk - 1]);
        end loop;
        v_left := v_left - coalesce(cardinality(v_users), 0) - coalesce(cardinality(v_gone), 0);
    end loop;
    return p_limit - v_left;
end
$$;

comment on function evervec.update_user_embeddings(text, integer) is
$$Makes the preferences of users anew whose interactions or signals have changed since, who are new, or whose preferences are a day old, as update_user_embedding does for one; returns of how many. Workers call it every 15 minutes. p_source: one source; NULL: all; p_limit: at most so many users (default 10,000): call it again until it returns 0. Raises VE101, VE204.$$;

revoke execute on function evervec.update_user_embeddings(text, integer) from public;

-- file: functions/push/push_off.sql
-- push_off: the webhook is rung no more, and asked for no vectors; workers and webhooks look for work themselves.
--
-- Locks:  ACCESS EXCLUSIVE on change_log where it has the trigger, in attempts of half a second with pauses between them.
-- Raises: 55P03 change_log stays locked
-- needs: functions/core/lock_relation.sql
create or replace function evervec.push_off()
returns boolean
language plpgsql
set search_path from current
as $$
begin
    if exists (select from pg_trigger t where t.tgrelid = 'evervec.change_log'::regclass and t.tgname = 'evervec_ring') then
        perform evervec.lock_relation('evervec.change_log', 'access exclusive');
        drop trigger evervec_ring on evervec.change_log;
    end if;
    update evervec.secret s set retires_at = now() where s.name = 'search' and s.retires_at is null;
    update evervec.api_token t set revoked_at = now() where t.name = 'evervec.search' and t.revoked_at is null;
    delete from evervec.push;
    return found;
end
$$;

comment on function evervec.push_off() is
$$Ends what configure_push began; whether push was on. Raises 55P03.$$;

revoke execute on function evervec.push_off() from public;

-- file: functions/push/post_json.sql
-- post_json: one POST of JSON by pgsql-http, with a limit of time that is put back afterwards.
--
-- Waits for the answer, so never from a transaction that somebody else may wait for.
-- Locks:  none.
-- needs: functions/push/pgsql_http.sql
create or replace function evervec.post_json(
    p_url       text,
    p_headers   jsonb,
    p_body      text,
    p_timeout   interval,
    out status  integer,
    out content text
)
language plpgsql
set search_path from current
as $$
declare
    c_setting constant text := 'http.timeout_msec';
    v_schema  name := (select n.nspname from pg_proc p join pg_namespace n on n.oid = p.pronamespace where p.oid = evervec.pgsql_http());
    v_former  text;
begin
    -- The library defines the setting when it is loaded: by its first call.
    execute format('select %I.urlencode(''''::varchar)', v_schema);
    v_former := coalesce(nullif(current_setting(c_setting, true), ''), '5000');
    perform set_config(c_setting, (extract(epoch from p_timeout) * 1000)::integer::text, true);
    execute format('select r.status, r.content'
                   '  from %1$I.http((''POST'', $1, array(select (h.key, h.value)::%1$I.http_header from jsonb_each_text($2) h),'
                   '                  ''application/json'', $3)::%1$I.http_request) r', v_schema)
       into status, content
      using p_url, p_headers, p_body;
    perform set_config(c_setting, v_former, true);
end
$$;

comment on function evervec.post_json(text, jsonb, text, interval) is
$$Internal. Sends a body of JSON and waits for the answer, p_timeout at most; an error of pgsql-http where none comes.$$;

revoke execute on function evervec.post_json(text, jsonb, text, interval) from public;

-- file: functions/push/send_ring.sql
-- send_ring: one signed ring of the webhook; says only that there is something to look for.
--
-- pg_net keeps requests where everybody may read them: so neither data nor secret is in it.
-- Locks:  none.
-- Raises: VE410 there is no secret
-- needs: functions/auth/sign_ring.sql
-- needs: functions/push/post_json.sql
-- needs: functions/push/pg_net.sql
create or replace function evervec.send_ring(p_transport text)
returns integer
language plpgsql
set search_path from current
as $$
declare
    -- Signed as pg_net sends it: in the form that jsonb has as text.
    c_body    constant jsonb    := jsonb '{"evervec": "ring"}';
    c_timeout constant interval := interval '1 second';
    v_url     text := (select p.url || '/v1/wake' from evervec.push p);
    v_headers jsonb;
    v_status  integer;
begin
    select jsonb_build_object('Content-Type', 'application/json', 'X-Evervec-Timestamp', r."timestamp"::text,
                              'X-Evervec-Nonce', r.nonce, 'X-Evervec-Signature', r.signature)
      into v_headers
      from evervec.sign_ring(convert_to(c_body::text, 'UTF8')) r;
    if p_transport = 'pg_net' then
        execute 'select ' || evervec.pg_net() || '($1, $2, ''{}'', $3, $4)'
          using v_url, c_body, v_headers, (extract(epoch from c_timeout) * 1000)::integer;
    else
        select r.status into v_status from evervec.post_json(v_url, v_headers - 'Content-Type', c_body::text, c_timeout) r;
    end if;
    return v_status;
end
$$;

comment on function evervec.send_ring(text) is
$$Internal. Rings the webhook by pg_net, which sends after commit, or http, which waits up to a second for the answer and gives its status. Raises VE410.$$;

revoke execute on function evervec.send_ring(text) from public;

-- file: functions/push/ring_once.sql
-- ring_once: rings the webhook by pg_net after the commit of this transaction, which rings no more, and nobody else within the debounce.
--
-- Whatever goes wrong with that is none of the writer's business; ring() repeats it. Hence the EXCEPTION block, at most one a transaction,
-- and no wait for a lock.
-- Locks:  none that anybody waits for.
-- needs: functions/push/send_ring.sql
create or replace function evervec.ring_once()
returns void
language plpgsql
set search_path from current
set lock_timeout = '10ms'
as $$
begin
    perform set_config('evervec.no_ring_before', 'rung', true);
    perform setval('evervec.next_ring', (extract(epoch from clock_timestamp() + p.debounce) * 1000)::bigint) from evervec.push p;
    begin
        perform evervec.send_ring('pg_net');
    exception when others then
        raise log 'evervec: the webhook is not rung: %', sqlerrm;
    end;
end
$$;

comment on function evervec.ring_once() is
$$Internal. Rings the webhook by pg_net, once a transaction, for ring_after_change; raises nothing.$$;

revoke execute on function evervec.ring_once() from public;

-- file: functions/push/ring_after_change.sql
-- ring_after_change: the trigger by which a transaction rings the webhook through pg_net; keeps away who has rung, or comes too soon.
--
-- It fires once a logged statement, which is once a row of an UPDATE. So it does next to nothing: no condition of the trigger, which PostgreSQL would
-- prepare each time, no SET clause, every name and operator qualified instead. It runs as the function that logged, which is evervec's.
-- One setting keeps both away: it is the time, as text, before which a session need not look, or "rung" (more than any number) until the end of
-- the transaction that rang; no value of it can fail a write. Rings of all sessions are kept apart by the value of a sequence, for which nobody waits
-- in a transaction; but its one page is locked to be read, so a session remembers what it read for up to a second. ring() makes up for a ring that a
-- rollback takes along.
-- Locks:  none.
-- needs: functions/push/ring_once.sql
create or replace function evervec.ring_after_change()
returns trigger
language plpgsql
as $$
declare
    v_now  bigint;
    v_next bigint;
    v_done text;  -- what set_config returns: an assignment is cheaper than PERFORM
begin
    if pg_catalog.current_setting('evervec.no_ring_before', true) collate pg_catalog."C"
       operator(pg_catalog.>) (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) operator(pg_catalog.*) 1000)::bigint::text then
        return null;
    end if;
    v_now := pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) operator(pg_catalog.*) 1000;
    v_next := pg_catalog.pg_sequence_last_value('evervec.next_ring');
    if v_next operator(pg_catalog.>) v_now then
        v_done := pg_catalog.set_config('evervec.no_ring_before', least(v_next, v_now operator(pg_catalog.+) 1000)::text, false);
        return null;
    end if;
    perform evervec.ring_once();
    return null;
end
$$;

comment on function evervec.ring_after_change() is
$$Internal. Trigger on change_log while push is on and pg_net is there.$$;

revoke execute on function evervec.ring_after_change() from public;

-- file: functions/track/check_option.sql
-- check_option: refuses a value that is not among those that an option takes.
--
-- Locks:  none.
-- Raises: VE111 unknown value
create or replace function evervec.check_option(p_option text, p_value text, p_allowed text[])
returns void
language plpgsql immutable
set search_path from current
as $$
begin
    if p_value is null or p_value <> all (p_allowed) then
        raise exception using
            errcode = 'VE111',
            message = format('%s cannot be %s', p_option, coalesce(quote_literal(p_value), 'NULL')),
            detail  = format('It takes %s.', array_to_string(p_allowed, ', ')),
            hint    = 'Choose one of these, or leave the option out for its default.';
    end if;
end
$$;

comment on function evervec.check_option(text, text, text[]) is
$$Internal. Raises VE111 when p_value is not one of p_allowed.$$;

revoke execute on function evervec.check_option(text, text, text[]) from public;

-- file: functions/push/configure_push.sql
-- configure_push: lets the database ring a webhook when there is work, and, if told so, ask it for the vectors of searches.
--
-- By pg_net a trigger of its own on change_log rings, present only while push is on. The token for searches is made here and kept
-- beside the ring's secret, so that it stands in no statement.
-- Locks:  ACCESS EXCLUSIVE on change_log, in attempts of half a second with pauses between them.
-- Raises: VE111 a bad option · VE422 not the address of a webhook · VE423 p_transport or p_search needs an extension that is not there ·
--         55P03 change_log stays locked
-- needs: functions/auth/create_token.sql
-- needs: functions/auth/keep_secret.sql
-- needs: functions/auth/rotate_secret.sql
-- needs: functions/core/lock_relation.sql
-- needs: functions/push/push_off.sql
-- needs: functions/push/push_transport.sql
-- needs: functions/push/ring_after_change.sql
-- needs: functions/track/check_option.sql
create or replace function evervec.configure_push(
    p_url       text,
    p_transport text default 'auto',
    p_debounce  interval default '1 second',
    p_search    boolean default false
)
returns text
language plpgsql
set search_path from current
as $$
declare
    v_transport text;
begin
    perform evervec.check_option('p_transport', p_transport, array['auto', 'pg_net', 'http']);
    if coalesce(p_url, '') !~ '^https?://[^/?#@[:space:]]+(/[^?#[:space:]]*)?$' then
        raise exception using
            errcode = 'VE422',
            message = 'this is not the address of a webhook',
            detail  = 'It begins with http:// or https://, and has neither user, password, ? nor #: everybody may read the requests of pg_net.',
            hint    = 'SELECT evervec.configure_push(''https://webhook.example.org''); or, to end it: SELECT evervec.push_off();';
    elsif coalesce(p_debounce not between '0' and '1 hour', true) then
        raise exception using
            errcode = 'VE111',
            message = 'rings cannot be so far apart',
            detail  = format('p_debounce is %s.', coalesce(p_debounce::text, 'NULL')),
            hint    = 'From 0 to 1 hour; 1 second is plenty.';
    end if;
    perform evervec.push_off();
    insert into evervec.push (url, transport, debounce, search)
    values (rtrim(p_url, '/'), p_transport, p_debounce, p_search);
    perform setval('evervec.next_ring', 1), set_config('evervec.no_ring_before', '', false);
    v_transport := evervec.push_transport();
    if p_transport not in ('auto', v_transport) or p_search and evervec.pgsql_http() is null then
        raise exception using
            errcode = 'VE423',
            message = format('%s cannot be used in this database', case when p_transport not in ('auto', v_transport) and p_transport = 'pg_net' then 'pg_net' else 'pgsql-http' end),
            detail  = format('It is not there, or %I may not execute its functions, or they belong to a role that is no superuser.', current_user),
            hint    = 'As a superuser: CREATE EXTENSION pg_net; or CREATE EXTENSION http; or leave p_transport and p_search out.';
    end if;

    if not exists (select from evervec.secret_values('ring')) then
        perform evervec.rotate_secret();
    end if;
    if p_search then
        perform evervec.keep_secret('search', evervec.create_token('evervec.search', '{read}'));
    end if;
    if v_transport = 'pg_net' then
        perform evervec.lock_relation('evervec.change_log', 'share row exclusive');
        create trigger evervec_ring after insert on evervec.change_log for each statement execute function evervec.ring_after_change();
    end if;
    return v_transport;
end
$$;

comment on function evervec.configure_push(text, text, interval, boolean) is
$$Lets the database ring a webhook when there is work, so that it need not look for it. Returns by what: pg_net (after each commit), http (pgsql-http: from ring(), by schedule) or none (neither extension is there: workers and webhooks look by themselves). p_url: the webhook's base address, without user or password; it is rung at /v1/wake. p_transport: auto (default), pg_net or http. p_debounce: rings are at least so far apart, default 1 second. p_search: search and hybrid_search ask the webhook (/v1/embed, by pgsql-http) for vectors of words that are not known, with a token made here; default false. Replaces what was configured; push_off ends it. Raises VE111, VE422, VE423, 55P03.$$;

revoke execute on function evervec.configure_push(text, text, interval, boolean) from public;

-- file: functions/push/embed_by_service.sql
-- embed_by_service: asks the webhook for the vector of the words of a search, where configure_push has allowed it.
--
-- The exception to the rule that no transaction is open while the network is: opted in, for searches only, which lock nothing. Writes
-- nothing, so that it works on a standby; the webhook keeps the vector for the next time.
-- Locks:  none.
-- Raises: VE424 the webhook gives no vector
-- needs: functions/auth/secret_values.sql
-- needs: functions/push/post_json.sql
create or replace function evervec.embed_by_service(p_model text, p_text text)
returns vector
language plpgsql
set search_path from current
as $$
declare
    v_url    text := (select p.url || '/v1/embed' from evervec.push p);
    v_answer record;
    v_vector vector;
    v_told   text;
begin
    begin
        select * into v_answer
          from evervec.post_json(
            v_url,
            jsonb_build_object('Authorization', 'Bearer ' || (select s.value from evervec.secret_values('search') as s (value) limit 1)),
            jsonb_build_object('model', p_model, 'texts', array[p_text])::text,
            '5 seconds');
        if v_answer.status = 200 then
            v_vector := (v_answer.content::jsonb #> '{vectors,0}')::text::vector;
        end if;
        v_told := format('it answered %s: %s', v_answer.status, left(v_answer.content, 500));
    exception when others then
        v_told := sqlerrm;
    end;
    if v_vector is null then
        raise exception using
            errcode = 'VE424',
            message = format('the webhook gives no vector of these words by model "%s"', p_model),
            detail  = format('%s: %s.', v_url, rtrim(v_told, '.')),
            hint    = 'Is the webhook running (evervec serve), and has it the provider''s key? Search again then, or by "evervec search", which asks the provider itself.';
    end if;
    return v_vector;
end
$$;

comment on function evervec.embed_by_service(text, text) is
$$Internal. The vector of words by the webhook, within 5 seconds. Raises VE424.$$;

revoke execute on function evervec.embed_by_service(text, text) from public;

-- file: functions/queue/active_sources.sql
-- active_sources: the sources whose jobs may be worked on now.
--
-- Locks:  none.
-- needs: views/budget_status.sql
create or replace function evervec.active_sources(p_sources text[] default null)
returns integer[]
language sql stable
set search_path from current
as $$
    select array(
        select s.source_id
          from evervec.source s
          join evervec.model m using (model_id)
         where s.state = 'active'
           and greatest(m.paused_until, m.full_until, '-infinity') <= now()
           and (p_sources is null or s.name = any (p_sources))
           and exists (select from pg_class c where c.oid = s.relation)
           and exists (select from pg_class c where c.oid = s.target)
           and not exists (select from evervec.budget_status b where b.spent and (b.source = s.name or b.model = m.name)))
$$;

comment on function evervec.active_sources(text[]) is
$$Internal. IDs of sources that are active, whose model is neither paused nor at its limits, whose budget and whose model's is not spent, and whose tables exist; of those named, or (NULL) of all.$$;

revoke execute on function evervec.active_sources(text[]) from public;

-- file: functions/push/has_work.sql
-- has_work: whether a worker would find anything to do now.
--
-- A range of the pending index a priority and source (and one for tasks of no source), as in due_jobs, so that jobs which wait are not
-- walked over; hence the settings.
-- Locks:  none.
-- needs: functions/queue/active_sources.sql
create or replace function evervec.has_work()
returns boolean
language sql stable
set search_path from current
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
    with active as materialized (
        select unnest(evervec.active_sources()) as source_id
    )
    select exists (select from evervec.change_log)
        or exists (select from evervec.source s join active a using (source_id) where s.pass_kind is not null)
        or exists (
            select
              from active a
              cross join generate_series(1, 10) as p (priority)
              join evervec.processing_queue q on q.status = 'pending' and q.priority = p.priority and q.source_id = a.source_id
                                             and q.available_at <= now())
        or exists (
            select
              from generate_series(1, 10) as p (priority)
              join evervec.processing_queue q on q.status = 'pending' and q.priority = p.priority and q.source_id is null
                                             and q.available_at <= now())
$$;

comment on function evervec.has_work() is
$$Internal. Whether there are changes to fold, a pass under way, or jobs that are due.$$;

revoke execute on function evervec.has_work() from public;

-- file: functions/push/ring.sql
-- ring: rings the webhook if there is work; for a schedule, which by this makes up for rings that were lost.
--
-- With pgsql-http it waits up to a second for the answer, so it runs by itself: neither in tick nor in a transaction of an application.
-- Locks:  the row of evervec.push, where it has something else to say than last time.
-- needs: functions/push/has_work.sql
-- needs: functions/push/push_transport.sql
-- needs: functions/push/send_ring.sql
create or replace function evervec.ring(
    out rang      boolean,
    out transport text,
    out problem   text
)
language plpgsql security definer
set search_path from current
as $$
declare
    v_status integer;
begin
    transport := evervec.push_transport();
    rang := false;
    if coalesce(transport, 'none') = 'none' or not evervec.has_work() then
        return;
    end if;
    begin
        v_status := evervec.send_ring(transport);
        rang := coalesce(v_status between 200 and 299, true);
        problem := case when not rang then format('the webhook answered %s', v_status) end;
    exception when others then
        problem := sqlerrm;
    end;
    update evervec.push p set problem = ring.problem where p.problem is distinct from ring.problem;
end
$$;

comment on function evervec.ring() is
$$Rings the webhook of configure_push, if there is work: changes to fold, jobs that are due. rang: whether it did. transport: pg_net (it sends after commit, and nobody hears whether that arrives), http (pgsql-http, which waits up to a second), none; NULL: push is off. problem: why a ring failed; the next one repeats it. Runs every 5 seconds by schedule_maintenance.$$;

revoke execute on function evervec.ring() from public;

-- file: functions/queue/add_task.sql
-- add_task: a job that is no row: checked, and put into the queue; one that waits already is not queued twice.
--
-- A type that nobody knows is queued too: workers bury it, where it can be seen and, after an upgrade, be retried.
-- Locks:  none that matter.
-- Raises: VE101 unknown source · VE111 a manual source · VE202 not a key · VE302 bad type, data or priority · VE303 a key too long
create or replace function evervec.add_task(
    p_task_type    text,
    p_task_data    jsonb,
    p_priority     integer,
    p_triggered_by text,
    p_metadata     jsonb
)
returns bigint
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source;
    v_wanted text;
    v_job_id bigint;
begin
    perform evervec.check_request(p_priority, p_task_data, 'p_task_data');
    perform evervec.check_request(p_priority, p_metadata, 'p_metadata');
    v_wanted := case
        when p_task_type is null or p_task_type !~ '\S' then 'A task has a type.'
        when p_task_type = 'embed' then 'Rows are queued with evervec.enqueue().'
        when p_task_type in ('regenerate', 'batch') and p_task_data ->> 'source' is null then 'Its data lack "source".'
        when p_task_type = 'user_model_update' and p_task_data ->> 'user' is null then 'Its data lack "user".'
        when p_task_type = 'batch' and jsonb_typeof(p_task_data -> 'row_keys') is distinct from 'array'
             and coalesce(p_task_data ->> 'pass', '') not in ('backfill', 'reconcile')
            then 'Its data have neither "row_keys", an array, nor "pass": "backfill" or "reconcile".'
    end;
    if v_wanted is not null then
        raise exception using
            errcode = 'VE302',
            message = format('%s with %s is not a task', coalesce(quote_literal(p_task_type), 'NULL'), left(p_task_data::text, 200)),
            detail  = v_wanted,
            hint    = 'For example: SELECT evervec.enqueue_task(''batch'', ''{"source": "film", "row_keys": [{"id": 1}]}'');';
    end if;

    if p_task_type in ('regenerate', 'batch', 'user_model_update') and p_task_data ->> 'source' is not null then
        v_source := evervec.source_named(p_task_data ->> 'source');
    end if;
    if p_task_type in ('regenerate', 'batch') then
        perform evervec.check_option(format('the storage of "%s", for a task,', v_source.name), v_source.storage, array['table', 'column']);
    end if;
    if p_task_type = 'batch' and p_task_data ? 'row_keys' then
        p_task_data := p_task_data || jsonb_build_object('row_keys', to_jsonb(evervec.checked_keys(
            v_source, array(select k from jsonb_array_elements(p_task_data -> 'row_keys') k))));
    end if;

    select q.job_id into v_job_id
      from evervec.processing_queue q
     where q.row_key is null and q.task_type = p_task_type and q.task_data = p_task_data and q.status = 'pending'
       and not q.metadata ? 'began'
     limit 1;
    if not found then
        insert into evervec.processing_queue (source_id, task_type, task_data, priority, metadata)
        values (v_source.source_id, p_task_type, p_task_data, p_priority,
                p_metadata || jsonb_build_object('triggered_by', p_triggered_by, 'triggered_at', now()))
        returning job_id into v_job_id;
    end if;
    return v_job_id;
end
$$;

comment on function evervec.add_task(text, jsonb, integer, text, jsonb) is
$$Internal. Queues a task; returns its job id, or that of the same task that waits already. Raises VE101, VE111, VE202, VE302, VE303.$$;

revoke execute on function evervec.add_task(text, jsonb, integer, text, jsonb) from public;

-- file: functions/queue/backfill.sql
-- backfill: starts a pass that finds rows without a vector of the source's model and queues them.
--
-- The pass runs in slices as workers claim, whenever the queue runs low, so that neither the queue nor a transaction grows with
-- the table, and fresh changes are never behind it. Its jobs have priority 8.
-- Locks:  ROW EXCLUSIVE on evervec.source.
-- Raises: VE101 unknown source · VE111 a manual source
create or replace function evervec.backfill(p_source text)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    perform evervec.check_option(format('the storage of "%s", for a backfill,', v_source.name), v_source.storage, array['table', 'column']);
    perform evervec.start_pass(v_source.source_id, 'backfill');
    return evervec.estimated_rows(v_source.relation);
end
$$;

comment on function evervec.backfill(text) is
$$Starts, or starts anew, the search for rows without a vector; workers do the rest. Returns the planner's estimate of the table's rows. Raises VE101, VE111.$$;

revoke execute on function evervec.backfill(text) from public;

-- file: functions/queue/bury_jobs.sql
-- bury_jobs: moves jobs that gave up to the dead letters, with everything that is known about them.
--
-- Locks:  the jobs, which the caller has locked or leased in this transaction.
create or replace function evervec.bury_jobs(
    p_job_ids     bigint[],
    p_error_class text,
    p_message     text,
    p_status_code integer default null
)
returns bigint
language sql
set search_path from current
as $$
    with dead as (
        delete from evervec.processing_queue q
         where q.job_id = any (p_job_ids)
        returning q.*
    ), buried as (
        insert into evervec.dead_letter
            (job_id, source_id, task_type, row_key, task_data, priority, attempts, error_class, status_code, message, failures,
             metadata, created_at, first_failed_at, last_failed_at)
        select d.job_id, d.source_id, d.task_type, d.row_key, d.task_data, d.priority, d.attempts, p_error_class, p_status_code,
               left(p_message, 10000), d.failures, d.metadata, d.created_at,
               coalesce((d.failures #>> '{0,at}')::timestamptz, clock_timestamp()),
               coalesce((d.failures #>> '{-1,at}')::timestamptz, clock_timestamp())
          from dead d
         order by d.job_id
        returning 1
    )
    select count(*) from buried
$$;

comment on function evervec.bury_jobs(bigint[], text, text, integer) is
$$Internal. Moves jobs to the dead letters, for an error of some class; returns how many.$$;

revoke execute on function evervec.bury_jobs(bigint[], text, text, integer) from public;

-- file: functions/queue/check_request.sql
-- check_request: refuses a priority or metadata that a job cannot have.
--
-- Locks:  none.
-- Raises: VE302 priority out of range, no object
create or replace function evervec.check_request(p_priority integer, p_object jsonb, p_name text)
returns void
language plpgsql immutable
set search_path from current
as $$
begin
    if (p_priority between 1 and 10) is not true then
        raise exception using
            errcode = 'VE302', message = 'a priority is from 1 to 10',
            detail  = format('p_priority is %s.', coalesce(p_priority::text, 'NULL')),
            hint    = '1 is done first, 5 is usual, 8 is what a backfill has.';
    elsif (jsonb_typeof(p_object) = 'object') is not true then
        raise exception using
            errcode = 'VE302', message = format('%s is not a JSON object', p_name),
            detail  = format('It is %s.', coalesce(left(p_object::text, 200), 'NULL')),
            hint    = 'For example: ''{"reason": "import"}''.';
    end if;
end
$$;

comment on function evervec.check_request(integer, jsonb, text) is
$$Internal. Raises VE302 for a priority out of range, or data that are no object.$$;

revoke execute on function evervec.check_request(integer, jsonb, text) from public;

-- file: functions/queue/checked_keys.sql
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

-- file: functions/queue/claim_jobs.sql
-- claim_jobs: the next jobs for a worker, with the text to embed.
--
-- Folds the change log, takes back expired leases, feeds passes under way when the queue has run low, takes what is most
-- urgent, runs the tasks among it, renders the texts. Jobs that need no vector (text unchanged, row gone, text empty) are settled here and only reported; the others are leased.
--
-- Locks:  the claimed jobs; ROW SHARE on the sources, waited for half a second at most (a source under ALTER TABLE is
--         tried again later); for a task regenerate those of reset, tried for a tenth of a second.
-- Raises: VE301 bad arguments
create or replace function evervec.claim_jobs(
    p_limit   integer default 100,
    p_lease   interval default '5 minutes',
    p_worker  text default null,
    p_sources text[] default null,
    p_cached  boolean default true,
    p_job_ids bigint[] default null
)
returns table (
    job_id       bigint,
    lease_token  uuid,
    source       text,
    task_type    text,
    row_key      jsonb,
    attempts     integer,
    state        text,
    content      text,
    content_hash bytea,
    model        text,
    too_long     text,
    last_class   text,
    expiries     integer
)
language plpgsql security definer
set search_path from current
set lock_timeout = '500ms'
as $$
declare
    v_token   uuid := gen_random_uuid();
    v_sources integer[];
    v_batch   record;
    v_job     evervec.processing_queue;
    v_state   text;
    v_suspect boolean;
    v_tasks   boolean := false;
    v_jobs    evervec.processing_queue[];
    v_began   timestamptz := clock_timestamp();
begin
    if coalesce(p_limit < 1, true) or coalesce(p_lease <= interval '0', true) then
        raise exception using
            errcode = 'VE301', message = 'p_limit and p_lease must be positive',
            detail  = format('p_limit is %s, p_lease is %s.', p_limit, p_lease),
            hint    = 'For example: SELECT * FROM evervec.claim_jobs(100, ''5 minutes'');';
    end if;

    begin
        -- Enough to stay ahead of the claims: with a bulk load in the log, the first of them should not wait for all of it.
        perform evervec.fold(greatest(4 * p_limit, 2000));
    exception when lock_not_available then
        -- Another claim has the jobs of rows that changed since, and takes its time: the next call folds, this one takes what there is.
        null;
    end;
    perform evervec.reclaim();

    v_sources := evervec.active_sources(p_sources);
    perform evervec.follow_renames(v_sources);

    if p_job_ids is not null then
        v_jobs := array(select n from evervec.named_jobs(p_job_ids, p_limit, v_sources) n);
    end if;
    -- A pass may look at many rows that need nothing; the next call goes on where this one stops.
    while p_job_ids is null loop
        select coalesce(array_agg(d.job), '{}'), coalesce(bool_or(d.suspect), false) into v_jobs, v_suspect
          from evervec.due_jobs(p_limit, v_sources) d;
        exit when cardinality(v_jobs) >= p_limit
               or v_suspect
               or clock_timestamp() > v_began + interval '1 second'
               or evervec.feed(greatest(p_limit, 1000), v_sources) = 0;
    end loop;

    for v_job in
        select l.*
          from (select array_agg(q.job_id) as job_ids from unnest(v_jobs) as q where q.task_type <> 'embed' having count(*) > 0) t
          cross join lateral evervec.lease_jobs(t.job_ids, null, p_lease, v_token) l
         order by l.job_id
    loop
        v_tasks := true;
        v_state := evervec.run_task(v_job);
        if v_state is not null then
            return query
            select v_job.job_id, v_token, (select s.name from evervec.source s where s.source_id = v_job.source_id), v_job.task_type,
                   null::jsonb, v_job.attempts::integer, v_state, null::text, null::bytea, null::text, null::text,
                   v_job.failures #>> '{-1,class}', v_job.expiries::integer;
        end if;
    end loop;
    if v_tasks then
        -- They may have taken jobs of their source out of the queue.
        v_jobs := array(select q
                          from unnest(v_jobs) as q
                         where exists (select from evervec.processing_queue p where p.job_id = q.job_id));
    end if;

    for v_batch in
        select s as source, m.name as model, array_agg(q order by q.priority, q.job_id) as jobs
          from unnest(v_jobs) as q
          join evervec.source s on s.source_id = q.source_id
          join evervec.model m on m.model_id = s.model_id
         where q.task_type = 'embed'
         group by s.*, s.source_id, m.name
         -- A worker goes from model to model in this order: what is urgent does not wait for the provider of what is not.
         order by min(q.priority), s.source_id
    loop
        return query
        select q.job_id, v_token, (v_batch.source).name, q.task_type, q.row_key, q.attempts::integer, r.state, r.content, r.content_hash,
               v_batch.model, (v_batch.source).too_long,
               case when r.state in ('embed', 'cached', 'failed') then q.failures #>> '{-1,class}' end,
               case when r.state in ('embed', 'cached', 'failed') then q.expiries::integer else 0 end
          from unnest(v_batch.jobs) as q
          join evervec.render_jobs(v_batch.source, v_batch.jobs, p_lease, v_token, p_cached) r on r.job_id = q.job_id
         order by q.priority, q.job_id;
    end loop;
end
$$;

comment on function evervec.claim_jobs(integer, interval, text, text[], boolean, bigint[]) is
$$Leases up to p_limit jobs (default 100) for p_lease (default 5 minutes) under one lease_token and returns them. state embed: needs a vector of content, of which no more is given than the model reads (four characters a token of its input_limit) and one character, where there is more; content_hash: SHA-256 of the whole text; cached: the vector of such a text is there, give it to complete_jobs as NULL; unchanged, gone, empty, failed, locked: settled already, reported only; so is a task (done or failed), which runs in this call and in later ones until what it started is done. too_long: what the source wants of a text beyond the model's limit, cut or dead_letter. last_class: of the error that its last attempt ended with, and expiries: how often in succession a worker took the job and was not heard of again; of jobs that were not settled. p_worker: for your own records. p_sources: NULL is all. p_cached: false for a worker that does not know the state cached, and embeds what is in the cache once more. p_job_ids: only these, as far as they are jobs of rows and due; NULL is all. No rows: nothing is due now. Raises VE301.$$;

revoke execute on function evervec.claim_jobs(integer, interval, text, text[], boolean, bigint[]) from public;

-- file: functions/queue/complete_jobs.sql
-- complete_jobs: stores the vectors of leased jobs, each only while it is still true.
--
-- Fenced twice: the lease token must still be the job's, and the row's text, rendered again under a KEY SHARE lock, must still have the
-- claimed hash. A row that a user's transaction holds is never waited for. Vectors that were paid for go into the cache first, whatever
-- becomes of their rows.
--
-- Locks:  the jobs in (source_id, task_type, row_key) order, waited for two seconds; the cache's entries of these texts by (model_id, content_hash); the row of a model that an error has paused, SKIP LOCKED; the rows FOR KEY SHARE SKIP LOCKED; table locks are waited for half a second.
-- Raises: VE301 bad arguments · VE109 a vector has not the model's dimensions · 55P03 a job or a table stays locked: call again
create or replace function evervec.complete_jobs(
    p_lease_token uuid,
    p_job_ids     bigint[],
    p_embeddings  vector[],
    p_notes       text[] default null
)
returns table (job_id bigint, outcome text)
language plpgsql security definer
set search_path from current
set lock_timeout = '500ms'
as $$
declare
    v_leased   record;
    v_source   evervec.source;
    v_batch    record;
    v_outcomes text[];
    v_twice    bigint;
begin
    if p_lease_token is null or p_job_ids is null or p_embeddings is null
       or cardinality(p_job_ids) <> cardinality(p_embeddings)
       or cardinality(p_notes) <> cardinality(p_job_ids) then
        raise exception using
            errcode = 'VE301', message = 'complete_jobs needs a lease token and as many vectors as jobs',
            detail  = format('%s jobs, %s vectors, %s notes.', cardinality(p_job_ids), cardinality(p_embeddings),
                             coalesce(cardinality(p_notes)::text, 'no')),
            hint    = 'Pass the lease_token of claim_jobs and one vector a job_id, in the same order; p_notes may be left out.';
    end if;

    select u.job_id into v_twice from unnest(p_job_ids) as u (job_id) group by u.job_id having count(u.job_id) > 1 limit 1;
    if found then
        raise exception using
            errcode = 'VE301', message = 'complete_jobs was given a job twice',
            detail  = format('Job %s is in p_job_ids more than once; nothing of this call was stored.', v_twice),
            hint    = 'Pass each job_id once, with the one vector of its text.';
    end if;

    select * into v_leased from evervec.lock_leased(p_lease_token, p_job_ids);

    return query
    select u.job_id, 'lost' from unnest(p_job_ids, v_leased.source_ids) as u (job_id, source_id) where u.source_id is null;

    perform evervec.fill_cache(v_leased.source_ids, v_leased.hashes, p_embeddings, p_notes);

    for v_source in
        select * from evervec.source s where s.source_id = any (v_leased.source_ids) order by s.source_id
    loop
        select array_agg(u.job_id) filter (where v.embedding is not null) as job_ids,
               array_agg(u.row_key) filter (where v.embedding is not null) as row_keys,
               array_agg(u.hash) filter (where v.embedding is not null) as hashes,
               array_agg(v.embedding) filter (where v.embedding is not null) as embeddings,
               array_agg(v.note) filter (where v.embedding is not null) as notes,
               bool_or(u.embedding is not null) as answered,
               array_agg(u.hash) filter (where c.embedding is not null) as hits,
               array_agg(u.job_id) filter (where v.embedding is null) as missed
          into v_batch
          from unnest(p_job_ids, v_leased.source_ids, v_leased.row_keys, v_leased.hashes, p_embeddings, p_notes)
               as u (job_id, source_id, row_key, hash, embedding, note)
          left join lateral (
            select c.embedding, c.note
              from evervec.embedding_cache c
             where u.embedding is null and v_source.cache and c.model_id = v_source.model_id and c.content_hash = u.hash
               and (c.note is null or v_source.too_long = 'cut')
             limit 1
          ) c on true
          cross join lateral (select coalesce(u.embedding, c.embedding), coalesce(u.note, c.note)) as v (embedding, note)
         where u.source_id = v_source.source_id;
        if v_batch.missed is not null then
            -- Forgotten since the claim: the next one gives the text.
            perform evervec.finish_jobs(v_batch.missed, array_fill('retry'::text, array[cardinality(v_batch.missed)]));
            return query select u.job_id, 'retry' from unnest(v_batch.missed) as u (job_id);
            continue when v_batch.job_ids is null;
        end if;
        v_outcomes := evervec.try_write_vectors(v_source, v_batch.row_keys, v_batch.hashes, v_batch.embeddings, v_batch.notes);
        perform evervec.finish_jobs(v_batch.job_ids, v_outcomes, v_batch.notes);
        if 'completed' = any (v_outcomes) then
            perform evervec.note_change(v_source.source_id);
        end if;
        if v_batch.hits is not null then
            perform evervec.keep_cached(v_source.model_id, v_batch.hits);
        end if;
        if v_batch.answered then
            perform evervec.free_model(v_source.model_id);
        end if;
        return query select u.job_id, u.outcome from unnest(v_batch.job_ids, v_outcomes) as u (job_id, outcome);
    end loop;
end
$$;

comment on function evervec.complete_jobs(uuid, bigint[], vector[], text[]) is
$$Stores one vector a job and settles the jobs. A vector is NULL where claim_jobs said cached: it is taken from the cache. p_notes: beside the vector and in the receipt, such as where the text was cut; NULL members and NULL: none. outcome: completed; superseded (the row changed meanwhile, queued again); gone (row deleted); locked (a user's transaction holds the row, tried again later); retry (NULL, and the cache has none: queued again); lost (the lease is no longer yours, vector discarded). Keep calls under about 100 jobs so that transactions stay short. Raises VE109, VE301, 55P03.$$;

revoke execute on function evervec.complete_jobs(uuid, bigint[], vector[], text[]) from public;

-- file: functions/queue/coverage.sql
-- coverage: how much of a source has the vector it should have, by comparing every hash.
--
-- Reads and renders the whole table: exact, and as slow as that. The view evervec.status has an estimate.
-- Locks:  ACCESS SHARE on the table and its embedding table.
-- Raises: VE101 unknown source
create or replace function evervec.coverage(p_source text)
returns table (source text, total bigint, embedded bigint, archived bigint, missing bigint, percent numeric)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    return query execute format(
        $sql$
        select $1, c.total, c.embedded, c.archived, c.total - c.embedded - c.archived,
               case when c.total = 0 then 100.0 else trunc(100.0 * (c.embedded + c.archived) / c.total, 1) end
          from (
            select count(*) filter (where x.state <> 'empty') as total,
                   count(*) filter (where x.state = 'ok') as embedded,
                   count(*) filter (where x.state = 'archived') as archived
              from evervec.%I(null, null, true) x
          ) c
        $sql$, 'slice_' || v_source.name)
    using v_source.name;
end
$$;

comment on function evervec.coverage(text) is
$$total: rows that have a text; embedded: those whose vector is of the source's model and of that very text; archived: those whose vector was dropped by archive, and whose text is still that one; missing: the others; percent: of those that are not missing, rounded down to one decimal, so that 100.0 means all. Reads the whole table. Raises VE101.$$;

revoke execute on function evervec.coverage(text) from public;

-- file: functions/queue/dead_letter_statistics.sql
-- dead_letter_statistics: how many jobs gave up, and why.
--
-- Locks:  none.
-- Raises: VE101 unknown source
create or replace function evervec.dead_letter_statistics(p_source text default null)
returns table (open bigint, resolved bigint, by_class jsonb, recent jsonb, oldest timestamptz)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source_id integer := case when p_source is not null then (evervec.source_named(p_source)).source_id end;
begin
    return query
    with letter as (
        select d.resolved_at is null as is_open, d.error_class, d.first_failed_at
          from evervec.dead_letter d
         where p_source is null or d.source_id = v_source_id
    )
    select count(*) filter (where l.is_open),
           count(*) filter (where not l.is_open),
           (select coalesce(jsonb_object_agg(c.error_class, c.letters), '{}')
              from (select o.error_class, count(*) as letters from letter o where o.is_open group by o.error_class) c),
           (select coalesce(jsonb_agg(to_jsonb(r) order by r.dead_letter_id desc), '[]')
              from (select d.dead_letter_id, d.source, d.row_key, d.error_class, d.status_code, d.message, d.last_failed_at
                      from evervec.dead_letters(p_source, p_limit => 10) d) r),
           min(l.first_failed_at) filter (where l.is_open)
      from letter l;
end
$$;

comment on function evervec.dead_letter_statistics(text) is
$$One row about the dead letters of one source or (NULL) of all: how many are open and how many resolved; of the open ones their number by error class, the ten newest, and when the oldest first failed. Raises VE101.$$;

revoke execute on function evervec.dead_letter_statistics(text) from public;

-- file: functions/queue/dead_letters.sql
-- dead_letters: the jobs that gave up, the newest first.
--
-- Locks:  none.
-- Raises: VE101 unknown source
create or replace function evervec.dead_letters(
    p_source   text default null,
    p_class    text default null,
    p_resolved boolean default false,
    p_limit    integer default 100,
    p_before   bigint default null
)
returns table (
    dead_letter_id  bigint,
    job_id          bigint,
    source          text,
    task_type       text,
    row_key         jsonb,
    task_data       jsonb,
    error_class     text,
    status_code     integer,
    message         text,
    attempts        integer,
    failures        jsonb,
    metadata        jsonb,
    queued_at       timestamptz,
    first_failed_at timestamptz,
    last_failed_at  timestamptz,
    resolved_at     timestamptz,
    resolved_by     text,
    note            text
)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source_id integer := case when p_source is not null then (evervec.source_named(p_source)).source_id end;
begin
    return query
    select d.dead_letter_id, d.job_id, s.name, d.task_type, d.row_key, d.task_data, d.error_class, d.status_code, d.message,
           d.attempts::integer, d.failures, d.metadata, d.created_at, d.first_failed_at, d.last_failed_at, d.resolved_at, d.resolved_by,
           d.note
      from evervec.dead_letter d
      left join evervec.source s using (source_id)
     where (p_source is null or d.source_id = v_source_id)
       and (p_class is null or d.error_class = p_class)
       and (p_resolved is null or (d.resolved_at is not null) = p_resolved)
       and (p_before is null or d.dead_letter_id < p_before)
     order by d.dead_letter_id desc
     limit case when p_limit is not null then greatest(p_limit, 0) end;
end
$$;

comment on function evervec.dead_letters(text, text, boolean, integer, bigint) is
$$Jobs that gave up, the newest first: of one source or (NULL) all, of one error class or all. p_resolved: false (default) those that are open, true those that are not, NULL both. p_limit: default 100, NULL all. p_before: those whose dead_letter_id is smaller, for the next page. failures: every attempt with at, class, status and message. Raises VE101.$$;

revoke execute on function evervec.dead_letters(text, text, boolean, integer, bigint) from public;

-- file: functions/queue/dependents.sql
-- dependents: the rows of a source that changed rows of other tables lead to.
--
-- NULL: that cannot be told (a column was renamed, the query fails); then the whole source has to be compared.
-- Locks:  none beyond ACCESS SHARE.
create or replace function evervec.dependents(p_source evervec.source, p_changed jsonb[])
returns jsonb[]
language plpgsql stable
set search_path from current
as $$
declare
    v_group record;
    v_keys  jsonb[] := array[]::jsonb[];
    v_found jsonb[];
begin
    for v_group in
        select (c.row ->> 'dependency')::integer as ordinal,
               array_agg(c.row -> 'changed') as changed,
               bool_or(c.row -> 'changed' @? '$.*.renamed') as renamed
          from unnest(p_changed) as c (row)
         group by 1
    loop
        if v_group.renamed then
            return null;
        end if;
        execute format('select array(select d from evervec.%I($1) d where d is not null)',
                       format('dependents%s_%s', v_group.ordinal, p_source.name))
        into v_found using v_group.changed;
        v_keys := v_keys || v_found;
    end loop;
    return v_keys;
exception when others then
    return null;
end
$$;

comment on function evervec.dependents(evervec.source, jsonb[]) is
$$Internal. row_keys of a source whose texts logged rows of other tables touch; NULL when that cannot be told.$$;

revoke execute on function evervec.dependents(evervec.source, jsonb[]) from public;

-- file: functions/queue/drop_jobs.sql
-- drop_jobs: takes the jobs of a source out of the queue, because something else does their work or nothing is left to do.
--
-- Locks:  the jobs.
create or replace function evervec.drop_jobs(p_source_id integer, p_outcome text, p_tasks boolean)
returns void
language sql
set search_path from current
as $$
    with dropped as (
        delete from evervec.processing_queue q
         where q.source_id = p_source_id and (p_tasks or q.task_type = 'embed')
        returning q.*
    )
    insert into evervec.job_receipt
        (job_id, source_id, task_type, row_key, outcome, attempts, generation, metadata, created_at, started_at)
    select d.job_id, d.source_id, d.task_type, d.row_key, p_outcome, d.attempts, d.generation, d.metadata, d.created_at, d.started_at
      from dropped d
$$;

comment on function evervec.drop_jobs(integer, text, boolean) is
$$Internal. Removes the jobs of a source, with receipts: its rows, and, where p_tasks says so, its tasks.$$;

revoke execute on function evervec.drop_jobs(integer, text, boolean) from public;

-- file: functions/queue/due_jobs.sql
-- due_jobs: the most urgent jobs that are due, locked: by priority, then by the time since which they wait.
--
-- Candidates are read without locks, one range of the pending index a priority and source (and one for tasks of no source), so that neither
-- jobs that wait for a retry nor those of a paused source, however many, are ever walked over. Only what is handed out is locked: other
-- workers find the rest. Where they hold candidates, further ones are looked at, twice as many each time, until the batch is full.
-- A job whose lease has expired twice in succession is leased alone, because it may be what kills its workers: it ends the batch before it,
-- or is the batch.
-- A plan may be kept from when the queue was empty, and has to hold when it has a million jobs: hence the settings.
-- Locks:  these jobs, and up to 50 beyond where a suspect ends the batch, SKIP LOCKED.
create or replace function evervec.due_jobs(p_limit bigint, p_sources integer[])
returns table (job evervec.processing_queue, suspect boolean)
language plpgsql
set search_path from current
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_left   bigint := p_limit;
    v_window bigint;
    v_ids    bigint[];
    v_times  timestamptz[];
    v_id     bigint;
    v_time   timestamptz;
begin
    for v_priority in 1 .. 10 loop
        v_window := v_left;
        v_time := '-infinity';
        v_id := 0;
        loop
            select array_agg(c.job_id order by c.available_at, c.job_id), array_agg(c.available_at order by c.available_at, c.job_id)
              into v_ids, v_times
              from (
                select w.job_id, w.available_at
                  from unnest(p_sources) as s (source_id)
                  cross join lateral (
                    select j.job_id, j.available_at
                      from evervec.processing_queue j
                     where j.status = 'pending' and j.priority = v_priority and j.source_id = s.source_id
                       and j.available_at <= now() and (j.available_at, j.job_id) > (v_time, v_id)
                     order by j.available_at, j.job_id
                     limit v_window
                  ) w
                union all
                select t.job_id, t.available_at
                  from (
                    select j.job_id, j.available_at
                      from evervec.processing_queue j
                     where j.status = 'pending' and j.priority = v_priority and j.source_id is null
                       and j.available_at <= now() and (j.available_at, j.job_id) > (v_time, v_id)
                     -- IS NULL does not tell the planner that the index has them in this order already.
                     order by j.source_id, j.available_at, j.job_id
                     limit v_window
                  ) t
                 order by available_at, job_id
                 limit v_window
              ) c;
            exit when v_ids is null;

            for job in
                select q.*
                  from unnest(v_ids, v_times) with ordinality as u (job_id, available_at, place)
                  join evervec.processing_queue q on q.job_id = u.job_id
                 -- Somebody may have leased it since, or put it elsewhere, where it is found, or was, as what it is now.
                 -- Pending is who has no lease; said by its status it would let a kept plan walk over all that are pending, once a job.
                 where q.lease_token is null and q.priority = v_priority and q.available_at = u.available_at
                 order by u.place
                 limit v_left
                   for update of q skip locked
            loop
                suspect := job.expiries >= 2;
                exit when suspect and v_left < p_limit;
                return next;
                v_left := v_left - 1;
                exit when suspect;
            end loop;
            if suspect or v_left = 0 then
                return;
            end if;
            exit when cardinality(v_ids) < v_window;
            v_time := v_times[v_window];
            v_id := v_ids[v_window];
            v_window := 2 * v_window;
        end loop;
    end loop;
end
$$;

comment on function evervec.due_jobs(bigint, integer[]) is
$$Internal. Locks up to p_limit due jobs of the given sources, and tasks of no source, to be leased in this transaction. suspect: its lease has expired before, so it is the only one.$$;

revoke execute on function evervec.due_jobs(bigint, integer[]) from public;

-- file: functions/queue/enqueue.sql
-- enqueue: queues rows that somebody asks for, beside those that triggers notice; or a whole source, as one task.
--
-- A row that is queued already keeps its job. Whatever its text: what has a vector of the present text and model is settled as
-- unchanged, at no cost.
-- Locks:  rows of processing_queue in (source_id, task_type, row_key) order.
-- Raises: VE101 unknown source · VE111 a manual source · VE202 not a key · VE302 bad operation, priority, metadata or choice of rows ·
--         VE303 a key too long · VE213 row-level security applies to the caller
create or replace function evervec.enqueue(
    p_source       text,
    p_row_keys     jsonb[],
    p_operation    text default 'update',
    p_priority     integer default null,
    p_triggered_by text default 'api',
    p_metadata     jsonb default '{}'
)
returns setof bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source   evervec.source := evervec.source_named(p_source);
    v_priority integer := evervec.operation_priority(p_operation, p_priority);
begin
    perform evervec.check_sees_all(v_source);
    perform evervec.check_request(v_priority, p_metadata, 'p_metadata');
    perform evervec.check_option(format('the storage of "%s", for the queue,', v_source.name), v_source.storage, array['table', 'column']);
    return query
    select u.job_id
      from unnest(evervec.queue_keys(
        v_source, evervec.checked_keys(v_source, p_row_keys), v_priority,
        p_metadata || jsonb_build_object('operation', p_operation, 'triggered_by', p_triggered_by, 'triggered_at', now())))
        with ordinality as u (job_id, ordinality)
     order by u.ordinality;
end
$$;

comment on function evervec.enqueue(text, jsonb[], text, integer, text, jsonb) is
$$Queues rows of a source by their keys and returns one job id a key, in their order; see job_status. p_operation: create (priority 1), update (5), bulk (8) or retry (5); p_priority: another priority, 1 (first) to 10. p_triggered_by and p_metadata (a JSON object): kept with the job. A row that is queued already keeps its job. An unchanged text is not embedded again, a row that does not exist is settled as gone. Raises VE101, VE111, VE202, VE213, VE302, VE303.$$;

revoke execute on function evervec.enqueue(text, jsonb[], text, integer, text, jsonb) from public;

create or replace function evervec.enqueue(
    p_source       text,
    p_row_keys     text,
    p_operation    text default 'update',
    p_priority     integer default null,
    p_triggered_by text default 'api',
    p_metadata     jsonb default '{}'
)
returns setof bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_priority integer := evervec.operation_priority(p_operation, p_priority);
begin
    perform evervec.check_sees_all(evervec.source_named(p_source));
    if p_row_keys is null or p_row_keys not in ('all', 'missing') then
        raise exception using
            errcode = 'VE302',
            message = format('%s is neither all nor missing', coalesce(quote_literal(p_row_keys), 'NULL')),
            detail  = 'As a text, p_row_keys is all (every vector is made anew) or missing (rows without one).',
            hint    = 'Give single rows as an array: ARRAY[''{"id": 1}'']::jsonb[].';
    end if;
    return next evervec.add_task(
        case p_row_keys when 'all' then 'regenerate' else 'batch' end,
        case p_row_keys when 'all' then jsonb_build_object('source', p_source)
                        else jsonb_build_object('source', p_source, 'pass', 'backfill') end,
        v_priority, p_triggered_by, p_metadata || jsonb_build_object('operation', p_operation));
end
$$;

comment on function evervec.enqueue(text, text, text, integer, text, jsonb) is
$$The same for a whole source: p_row_keys 'all' throws every vector away and makes it anew (task regenerate, see reset): texts that the cache has are not paid for again. 'missing' finds the rows that have none (task batch, see backfill). Returns the id of that one job, which ends when its work is done. Raises VE101, VE111, VE202, VE213, VE302, VE303.$$;

revoke execute on function evervec.enqueue(text, text, text, integer, text, jsonb) from public;

-- file: functions/queue/enqueue_task.sql
-- enqueue_task: queues work that is more than one row; workers do it in the database, without a provider.
--
-- Locks:  none that matter.
-- Raises: VE101 unknown source · VE111 a manual source · VE202 not a key · VE302 bad type, data or priority · VE303 a key too long
create or replace function evervec.enqueue_task(
    p_task_type text,
    p_task_data jsonb default '{}',
    p_priority  integer default 5
)
returns bigint
language sql security definer
set search_path from current
as $$
    select evervec.add_task(p_task_type, p_task_data, p_priority, 'api', '{}')
$$;

comment on function evervec.enqueue_task(text, jsonb, integer) is
$$Queues a task and returns its job id, or that of the same task that has not begun; see job_status. p_task_type and p_task_data: regenerate {"source": …}, throws every vector away and makes it anew, as reset (with "fresh": true what the cache has of the source goes first, so that all is paid for again); batch {"source": …, "row_keys": […]}, embeds these rows; batch {"source": …, "pass": "backfill" | "reconcile"}, looks for what is missing or wrong; user_model_update {"user": …, "source": …}. The job ends when the work that it started is done. Another type becomes a dead letter. Raises VE101, VE111, VE202, VE302, VE303.$$;

revoke execute on function evervec.enqueue_task(text, jsonb, integer) from public;

-- file: functions/queue/erase_vectors.sql
-- erase_vectors: drops the vectors of some keys of a source.
--
-- Locks:  the vectors' rows, SKIP LOCKED.
create or replace function evervec.erase_vectors(p_source evervec.source, p_row_keys jsonb[])
returns integer[]
language plpgsql
set search_path from current
as $$
declare
    v_held integer[];
begin
    execute format('select evervec.%I($1)', 'erase_' || p_source.name) into v_held using p_row_keys;
    return v_held;
end
$$;

comment on function evervec.erase_vectors(evervec.source, jsonb[]) is
$$Internal. Drops vectors by key; returns the positions of those that another transaction holds.$$;

revoke execute on function evervec.erase_vectors(evervec.source, jsonb[]) from public;

-- file: functions/queue/extend_lease.sql
-- extend_lease: the heartbeat of a worker whose call takes long.
--
-- Locks:  the jobs of the lease in (source_id, task_type, row_key) order.
create or replace function evervec.extend_lease(p_lease_token uuid, p_lease interval default '5 minutes')
returns integer
language sql security definer
set search_path from current
as $$
    with leased as (
        select q.job_id
          from evervec.processing_queue q
         where q.lease_token = p_lease_token and q.status = 'processing'
         order by q.source_id, q.task_type, q.row_key
           for update
    ), extended as (
        update evervec.processing_queue q
           set lease_expires_at = clock_timestamp() + p_lease
          from leased l
         where q.job_id = l.job_id
        returning 1
    )
    select count(*)::integer from extended
$$;

comment on function evervec.extend_lease(uuid, interval) is
$$Extends the lease of all jobs under a token to p_lease (default 5 minutes) from now; returns how many there still are.$$;

revoke execute on function evervec.extend_lease(uuid, interval) from public;

-- file: functions/queue/fail_jobs.sql
-- fail_jobs: what a worker says when jobs could not be embedded; retry_policy decides what follows.
--
-- Locks:  the row of evervec.model where the class pauses it, then the jobs in (source_id, task_type, row_key) order.
-- Raises: VE301 unknown error class
create or replace function evervec.fail_jobs(
    p_lease_token uuid,
    p_job_ids     bigint[],
    p_error_class text,
    p_message     text,
    p_status_code integer default null,
    p_retry_after interval default null
)
returns table (job_id bigint, outcome text, available_at timestamptz)
language plpgsql security definer
set search_path from current
as $$
declare
    -- Beyond a day it is a mistake rather than a wish.
    v_retry_after interval := case when p_retry_after is not null
                                   then least(greatest(p_retry_after, interval '0'), interval '1 day') end;
    v_jobs        record;
begin
    if not exists (select from evervec.retry_policy p where p.error_class = p_error_class and p.source_id is null) then
        raise exception using
            errcode = 'VE301',
            message = format('error class "%s" is not known', p_error_class),
            detail  = (select 'Classes: ' || string_agg(p.error_class, ', ' order by p.error_class) || '.'
                         from evervec.retry_policy p where p.source_id is null),
            hint    = 'Add a row to evervec.retry_policy, or use one of these.';
    end if;

    perform evervec.hold_model(s.model_id, max(clock_timestamp() + coalesce(v_retry_after, evervec.retry_delay(p, q.attempts + 1))),
                               p_error_class, p_message)
       from evervec.processing_queue q
       join evervec.source s using (source_id)
      cross join lateral evervec.policy_of(q.source_id, p_error_class) p
      where q.job_id = any (p_job_ids) and q.lease_token = p_lease_token and p.pauses_model
      group by s.model_id
      order by s.model_id;

    with leased as materialized (
        select q.job_id, q.source_id, q.attempts, q.failures
          from evervec.processing_queue q
         where q.job_id = any (p_job_ids) and q.lease_token = p_lease_token
         order by q.source_id, q.task_type, q.row_key
           for update
    ), judged as materialized (
        select l.job_id, p.max_attempts, p.costs_attempt, l.attempts + p.costs_attempt::integer as attempts,
               evervec.with_failure(l.failures, p_error_class, p_message, p_status_code) as failures,
               clock_timestamp() + coalesce(v_retry_after, evervec.retry_delay(p, l.attempts + p.costs_attempt::integer)) as due
          from leased l
         cross join lateral evervec.policy_of(l.source_id, p_error_class) p
    ), failed as (
        update evervec.processing_queue q
           set status           = 'pending',
               lease_token      = null,
               lease_expires_at = null,
               expiries         = 0,
               attempts         = j.attempts,
               -- A retry stands behind fresh work of its kind.
               priority         = least(q.priority + j.costs_attempt::integer, 10),
               failures         = j.failures,
               last_error       = left(p_message, 1000),
               available_at     = j.due
          from judged j
         where q.job_id = j.job_id
        returning q.job_id, j.due, coalesce(j.attempts >= j.max_attempts, false) as dead
    )
    select array_agg(f.job_id) as job_ids, array_agg(f.job_id) filter (where f.dead) as dead, array_agg(f.due) as dues
      into v_jobs
      from failed f;

    perform evervec.bury_jobs(v_jobs.dead, p_error_class, p_message, p_status_code);
    return query
    select u.job_id,
           case when f.job_id is null then 'lost' when f.job_id = any (v_jobs.dead) then 'dead' else 'retry' end,
           case when (f.job_id = any (v_jobs.dead)) is not true then f.due end
      from unnest(p_job_ids) as u (job_id)
      left join unnest(v_jobs.job_ids, v_jobs.dues) as f (job_id, due) on f.job_id = u.job_id;
end
$$;

comment on function evervec.fail_jobs(uuid, bigint[], text, text, integer, interval) is
$$Reports failed jobs. p_error_class: timeout, network, rate_limit, server_error, auth, quota, bad_input, not_found, invalid_response, render or database (it refuses to store the vector); evervec.retry_policy says what each means. auth, quota and rate_limit also pause the model, so that one wrong key buries nothing. p_status_code: of HTTP. p_retry_after: what the provider asked for, a day at most, instead of the policy's delay. outcome: retry (at available_at), dead (moved to the dead letters) or lost (the lease is no longer yours). Raises VE301.$$;

revoke execute on function evervec.fail_jobs(uuid, bigint[], text, text, integer, interval) from public;

-- file: functions/queue/feed.sql
-- feed: takes one slice of one pass that is under way and queues the rows in it whose vectors are not right.
--
-- The pass that is least advanced goes first, so that a great table does not keep the small ones waiting. A source that is locked
-- (ALTER TABLE) is passed over.
--
-- Locks:  the row of evervec.source, SKIP LOCKED: another session's slice is not waited for.
create or replace function evervec.feed(p_limit integer, p_sources integer[])
returns bigint
language plpgsql
set search_path from current
as $$
declare
    v_source   evervec.source;
    v_examined bigint;
begin
    for v_source in
        select *
          from evervec.source s
         where s.pass_kind is not null and s.source_id = any (p_sources)
         order by s.pass_examined, s.source_id
           for update skip locked
    loop
        begin
            v_examined := (evervec.next_slice(v_source, p_limit)).examined;
        exception
            when lock_not_available then
                continue;
            when others then
                -- Its recipe does not even parse any more. The others go on; doctor tells, and retrack compares anew.
                update evervec.source s
                   set pass_kind = null, pass_stage = null, pass_after = null, last_error = sqlerrm
                 where s.source_id = v_source.source_id;
                continue;
        end;
        if v_examined > 0 then
            return v_examined;
        end if;
    end loop;
    return 0;
end
$$;

comment on function evervec.feed(integer, integer[]) is
$$Internal. One slice of p_limit rows of one backfill or reconcile under way among the given sources; returns the rows looked at, 0 when no pass is under way.$$;

revoke execute on function evervec.feed(integer, integer[]) from public;

-- file: functions/queue/feed_slice.sql
-- feed_slice: the next slice of the pass of one source: looks at its rows, queues those that need it, remembers where it ended.
--
-- Stages: rows (are there vectors, and the right ones?), then, when reconciling, vectors (are there rows?). Jobs of a pass have
-- priority 8, behind fresh changes.
-- Locks:  rows of processing_queue in (source_id, task_type, row_key) order.
create or replace function evervec.feed_slice(
    p_source     evervec.source,
    p_limit      integer,
    p_by_hash    boolean,
    p_all        boolean default false,
    out examined bigint,
    out missing  bigint,
    out stale    bigint,
    out orphaned bigint
)
language plpgsql
set search_path from current
as $$
declare
    v_keys  jsonb[];
    v_needy jsonb[];
begin
    loop
        execute format(
            $sql$
            select array_agg(x.row_key order by x.ordinality),
                   array_agg(x.row_key) filter (where x.state in ('missing', 'stale', 'orphan') or $4),
                   count(*) filter (where x.state = 'missing'),
                   count(*) filter (where x.state = 'stale'),
                   count(*) filter (where x.state = 'orphan')
              from %s with ordinality as x
            $sql$,
            case p_source.pass_stage
                when 'rows' then format('evervec.%I($1, $2, $3)', 'slice_' || p_source.name)
                else format('evervec.%I($1, $2)', 'orphans_' || p_source.name)
            end)
        into v_keys, v_needy, missing, stale, orphaned
        using p_source.pass_after, p_limit, p_by_hash, p_all;
        exit when v_keys is not null;
        exit when p_source.pass_kind = 'backfill' or p_source.pass_stage = 'vectors' or p_source.storage = 'column';
        p_source.pass_stage := 'vectors';
        p_source.pass_after := null;
    end loop;

    examined := coalesce(cardinality(v_keys), 0);
    if v_needy is not null then
        perform evervec.queue_rows(
            p_source, v_needy,
            array_fill(0::bigint, array[cardinality(v_needy)]),
            array_fill(8::smallint, array[cardinality(v_needy)]),
            array_fill(jsonb_build_object('operation', p_source.pass_kind, 'triggered_by', p_source.pass_kind, 'triggered_at', now()),
                       array[cardinality(v_needy)]));
    end if;
    update evervec.source s
       set pass_kind     = case when examined > 0 then p_source.pass_kind end,
           pass_stage    = case when examined > 0 then p_source.pass_stage end,
           pass_after    = v_keys[examined],
           pass_at       = now(),
           pass_examined = s.pass_examined + examined,
           pass_missing  = s.pass_missing + missing,
           pass_stale    = s.pass_stale + stale,
           pass_orphaned = s.pass_orphaned + orphaned
     where s.source_id = p_source.source_id;
end
$$;

comment on function evervec.feed_slice(evervec.source, integer, boolean, boolean) is
$$Internal. One slice of a source's pass. p_by_hash: compare texts too; p_all: queue every row of the slice. examined 0: the pass is over.$$;

revoke execute on function evervec.feed_slice(evervec.source, integer, boolean, boolean) from public;

-- file: functions/queue/finish_jobs.sql
-- finish_jobs: settles jobs, leased or about to be, by what became of their rows.
--
-- Done (completed, unchanged, gone, empty): the job goes and leaves a receipt, and open dead letters of its row are resolved, unless the row changed since the claim: then it is
-- pending again. superseded, retry: pending again. locked: pending again in five seconds, or more the longer that lasts. None of these costs an attempt.
-- Locks:  the jobs, which the caller has locked or leased in this transaction; dead letters of their rows, SKIP LOCKED.
create or replace function evervec.finish_jobs(p_job_ids bigint[], p_outcomes text[], p_notes text[] default null)
returns void
language sql
set search_path from current
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
    with settled as materialized (
        select u.job_id, u.outcome, u.note, u.outcome not in ('superseded', 'retry', 'locked') as done
          from unnest(p_job_ids, p_outcomes, p_notes) as u (job_id, outcome, note)
    ), removed as (
        delete from evervec.processing_queue q
         using settled s
         where q.job_id = s.job_id and s.done and (q.generation = q.claimed_generation or q.status = 'pending')
        returning q.*, s.outcome, s.note
    ), returned as (
        update evervec.processing_queue q
           set status = 'pending', lease_token = null, lease_expires_at = null, expiries = 0,
               -- The longer the row is held, the longer the next look at it can wait: an open transaction may stay for hours.
               available_at = case s.outcome
                   when 'locked' then now() + least(greatest((now() - q.created_at) / 2, interval '5 seconds'), interval '5 minutes')
                   else now() end
          from settled s
         where q.job_id = s.job_id and s.job_id not in (select r.job_id from removed r)
    ), answered as (
        -- Whatever the row once died of: it has what it should have.
        update evervec.dead_letter d
           set resolved_at = now(), resolved_by = 'evervec', note = format('job %s: %s', l.job_id, l.outcome)
          from (
            select o.dead_letter_id, r.job_id, r.outcome
              from removed r
              join evervec.dead_letter o on o.row_key = r.row_key and o.source_id = r.source_id and o.task_type = r.task_type
             where o.resolved_at is null
               for update of o skip locked
          ) l
         where d.dead_letter_id = l.dead_letter_id
    )
    insert into evervec.job_receipt
        (job_id, source_id, task_type, row_key, outcome, note, attempts, generation, metadata, created_at, started_at)
    select r.job_id, r.source_id, r.task_type, r.row_key, r.outcome, r.note, r.attempts, r.generation, r.metadata, r.created_at,
           coalesce(r.started_at, now())
      from removed r
$$;

comment on function evervec.finish_jobs(bigint[], text[], text[]) is
$$Internal. Removes jobs that are done, with a receipt, and returns the others to pending.$$;

revoke execute on function evervec.finish_jobs(bigint[], text[], text[]) from public;

-- file: functions/queue/fold.sql
-- fold: moves one slice of change_log into processing_queue, one job a row however often it changed.
--
-- One fold at a time (a transaction-level advisory lock; the others have nothing to wait for). A slice begins where the last one
-- ended: scanned by TID range, it never walks over the dead rows of earlier slices, which a held snapshot may keep from being
-- vacuumed. What is committed late, or written into space that vacuum gave back, lies before that point; it is found by a scan
-- from the first block, made with each slice and, when dead rows make it slow, only so often that it costs a twentieth of the time.
-- While there is more than a slice, the last blocks are folded too, so that an urgent row does not wait behind a bulk update.
--
-- A change without a key (TRUNCATE, a renamed key) starts a reconciling pass. Changes of sources that are no longer tracked are dropped.
-- Locks:  rows of processing_queue in (source_id, task_type, row_key) order.
create or replace function evervec.fold(p_limit integer default 10000)
returns bigint
language plpgsql
set search_path from current
as $$
declare
    -- Blocks, and more rows than they can hold.
    c_tail    constant integer := 16;
    c_most    constant integer := 5000;
    v_state   evervec.fold_state;
    v_blocks  bigint := pg_relation_size('evervec.change_log') / current_setting('block_size')::bigint;
    v_from    bigint;
    v_rows    tid[];
    v_more    tid[];
    v_full    boolean;
    v_began   timestamptz;
    v_cost    interval;
    v_next    bigint;
    v_change  record;
begin
    if not pg_try_advisory_xact_lock(evervec.lock_key('fold')) then
        return 0;
    end if;
    select * into v_state from evervec.fold_state;

    v_from := least(v_state.next_block, greatest(v_blocks - 1, 0));
    v_rows := evervec.log_slice(v_from, p_limit);
    v_next := coalesce(evervec.tid_block(v_rows[cardinality(v_rows)]), v_from);

    v_full := cardinality(v_rows) >= p_limit;
    if v_full then
        v_rows := v_rows || evervec.log_slice(greatest(v_next + 1, v_blocks - c_tail), c_most);
    end if;
    if v_from > 0 and v_state.next_full_at <= clock_timestamp() then
        v_began := clock_timestamp();
        v_more := evervec.log_slice(0, case when v_full then p_limit / 5 else p_limit end, v_from);
        v_cost := clock_timestamp() - v_began;
        v_rows := v_rows || v_more;
        if not v_full and cardinality(v_more) >= p_limit then
            v_next := evervec.tid_block(v_more[cardinality(v_more)]);
        elsif v_cost > interval '5 milliseconds' then
            v_state.next_full_at := clock_timestamp() + 20 * v_cost;
        end if;
    end if;

    if v_next <> v_state.next_block or v_state.next_full_at > clock_timestamp() then
        update evervec.fold_state
           set next_block = v_next, next_full_at = v_state.next_full_at
         where (next_block, next_full_at) is distinct from (v_next, v_state.next_full_at);
    end if;
    if cardinality(v_rows) = 0 then
        return 0;
    end if;

    for v_change in
        with taken as materialized (
            delete from evervec.change_log l
             where l.ctid = any (v_rows)
            returning l.source_id, l.row_key, l.operation, l.logged_at
        ), changed as (
            select t.source_id, t.row_key, count(*) as changes,
                   jsonb_build_object('operation', (array_agg(t.operation order by t.logged_at desc))[1],
                                      'triggered_by', 'trigger', 'triggered_at', min(t.logged_at)) as metadata
              from taken t
             where t.row_key is not null and t.operation <> 'R'
             group by t.source_id, t.row_key
        ), named as (
            select c.source_id, array_agg(c.row_key order by c.row_key) as row_keys, array_agg(c.changes order by c.row_key) as changes,
                   array_agg(c.metadata order by c.row_key) as metadata
              from changed c
             group by c.source_id
        ), other as (
            select t.source_id, array_agg(distinct t.row_key) filter (where t.row_key is not null) as dependencies,
                   bool_or(t.row_key is null) as unnamed
              from taken t
             where t.operation = 'R' or t.row_key is null
             group by t.source_id
        )
        select s as source, n.row_keys, n.changes, n.metadata, o.dependencies, coalesce(o.unnamed, false) as unnamed
          from named n
          full join other o using (source_id)
          join evervec.source s using (source_id)
         order by s.source_id
    loop
        perform evervec.fold_source(v_change.source, v_change.row_keys, v_change.changes, v_change.metadata,
                                    v_change.dependencies, v_change.unnamed);
    end loop;
    return cardinality(v_rows);
end
$$;

comment on function evervec.fold(integer) is
$$Internal. Moves up to about p_limit changes (default 10,000, and the newest ones) from change_log into processing_queue; returns how many, 0 when there are none or another session is folding.$$;

revoke execute on function evervec.fold(integer) from public;

-- file: functions/queue/fold_source.sql
-- fold_source: what a slice of the log says about one source becomes jobs, or a pass where rows cannot be named.
--
-- Locks:  rows of processing_queue in (source_id, task_type, row_key) order.
create or replace function evervec.fold_source(
    p_source       evervec.source,
    p_row_keys     jsonb[],
    p_changes      bigint[],
    p_metadata     jsonb[],
    p_dependencies jsonb[],
    p_unnamed      boolean
)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_dependents jsonb[];
begin
    if p_row_keys is not null then
        perform evervec.queue_rows(p_source, p_row_keys, p_changes, evervec.row_priorities(p_source, p_row_keys), p_metadata);
    end if;
    if p_dependencies is not null then
        v_dependents := evervec.dependents(p_source, p_dependencies);
        if v_dependents is null then
            p_unnamed := true;
        elsif cardinality(v_dependents) > 0 then
            v_dependents := array(select distinct d from unnest(v_dependents) d);
            perform evervec.queue_rows(
                p_source, v_dependents, array_fill(1::bigint, array[cardinality(v_dependents)]),
                evervec.row_priorities(p_source, v_dependents),
                array_fill(jsonb_build_object('operation', 'R', 'triggered_by', 'dependency', 'triggered_at', now()),
                           array[cardinality(v_dependents)]));
        end if;
    end if;
    if p_unnamed then
        perform evervec.start_pass(p_source.source_id, 'reconcile');
    end if;
end
$$;

comment on function evervec.fold_source(evervec.source, jsonb[], bigint[], jsonb[], jsonb[], boolean) is
$$Internal. Queues the rows of one source that changed, or that changed rows of other tables lead to; p_unnamed starts a pass.$$;

revoke execute on function evervec.fold_source(evervec.source, jsonb[], bigint[], jsonb[], jsonb[], boolean) from public;

-- file: functions/queue/forget_letters.sql
-- forget_letters: removes dead letters by age and number, as evervec.setting says; those that are resolved go first.
--
-- Locks:  what is forgotten, SKIP LOCKED.
-- needs: functions/control/setting_interval.sql
-- needs: functions/control/setting_number.sql
create or replace function evervec.forget_letters(p_limit integer default 10000)
returns bigint
language sql
set search_path from current
as $$
    with surplus as (
        select greatest(count(*) - greatest(evervec.setting_number('dead_letter_most', 100000), 0), 0)::bigint as letters
          from evervec.dead_letter d
    ), forgotten as (
        select d.dead_letter_id
          from evervec.dead_letter d
         where d.resolved_at < (select now() - evervec.setting_interval('dead_letter_keep_resolved', '7 days'))
            or d.last_failed_at < (select now() - evervec.setting_interval('dead_letter_keep', '90 days'))
            or d.dead_letter_id in (
                select o.dead_letter_id
                  from evervec.dead_letter o
                 order by o.resolved_at is null, o.dead_letter_id
                 limit (select least(s.letters, p_limit) from surplus s))
         limit p_limit
           for update skip locked
    ), removed as (
        delete from evervec.dead_letter d using forgotten f where d.dead_letter_id = f.dead_letter_id returning 1
    )
    select count(*) from removed
$$;

comment on function evervec.forget_letters(integer) is
$$Internal. Removes up to p_limit dead letters that are past their time or beyond their number; returns how many.$$;

revoke execute on function evervec.forget_letters(integer) from public;

-- file: functions/queue/policy_of.sql
-- policy_of: how an error of some class is retried for a source: by the source's own row, or by the one for all.
--
-- Locks:  none.
create or replace function evervec.policy_of(p_source_id integer, p_error_class text)
returns evervec.retry_policy
language sql stable
set search_path from current
as $$
    select p
      from evervec.retry_policy p
     where p.error_class = p_error_class and (p.source_id = p_source_id or p.source_id is null)
     order by p.source_id nulls last
     limit 1
$$;

comment on function evervec.policy_of(integer, text) is
$$Internal. The row of evervec.retry_policy that holds for an error class and a source; NULL when there is none.$$;

revoke execute on function evervec.policy_of(integer, text) from public;

-- file: functions/queue/task_progress.sql
-- task_progress: how far the work is that a task started; an estimate where a pass walks over a table.
--
-- Locks:  none.
create or replace function evervec.task_progress(p_job evervec.processing_queue)
returns real
language plpgsql volatile
set search_path from current
as $$
declare
    v_source evervec.source;
    v_total  numeric;
    v_past   numeric;
begin
    if not p_job.metadata ? 'began' then
        return 0;
    end if;
    select * into v_source from evervec.source s where s.source_id = p_job.source_id;
    if p_job.task_data ? 'row_keys' then
        v_total := jsonb_array_length(p_job.task_data -> 'row_keys');
        v_past := v_total;
    else
        v_past := v_source.pass_examined;
        v_total := greatest(v_past, case when v_source.pass_kind is not null then evervec.estimated_rows(v_source.relation) end);
    end if;
    -- 1 is for what is done.
    return least(greatest(coalesce((v_past - evervec.task_left(p_job)) / nullif(v_total, 0), 0), 0), 0.99);
end
$$;

comment on function evervec.task_progress(evervec.processing_queue) is
$$Internal. The share of a task's work that is done, from 0 to 0.99.$$;

revoke execute on function evervec.task_progress(evervec.processing_queue) from public;

-- file: functions/queue/job_status.sql
-- job_status: what became of a job: in the queue, in its receipt (kept for 24 hours), or among the dead letters.
--
-- Locks:  none.
-- needs: functions/access/is_confined.sql
-- needs: functions/queue/policy_of.sql
-- needs: functions/queue/task_progress.sql
create or replace function evervec.job_status(p_job_id bigint)
returns table (
    job_id       bigint,
    state        text,
    task_type    text,
    source       text,
    row_key      jsonb,
    progress     real,
    attempt      integer,
    max_attempts integer,
    next_try_at  timestamptz,
    last_error   text,
    queued_at    timestamptz,
    started_at   timestamptz,
    ended_at     timestamptz,
    metadata     jsonb,
    note         text
)
language sql volatile security definer
set search_path from current
as $$
    with known as (
        select 1 as place,
               case when q.status = 'processing' or q.metadata ? 'began' then 'processing'
                    when q.attempts > 0 or q.failures <> '[]' then 'retrying'
                    else 'queued' end as state,
               q.task_type, q.source_id, q.row_key,
               case when q.task_type = 'embed' then 0 else evervec.task_progress(q) end as progress,
               q.attempts + (q.status = 'processing')::integer as attempt,
               (evervec.policy_of(q.source_id, coalesce(q.failures #>> '{-1,class}', 'server_error'))).max_attempts,
               case when q.status = 'pending' then q.available_at end as next_try_at,
               q.last_error, q.created_at as queued_at, q.started_at, null::timestamptz as ended_at, q.metadata, null::text as note
          from evervec.processing_queue q
         where q.job_id = p_job_id
        union all
        select 2, case when r.outcome in ('superseded', 'gone') then r.outcome else 'completed' end,
               r.task_type, r.source_id, r.row_key, 1, r.attempts + 1, null, null, null, r.created_at, r.started_at, r.finished_at,
               r.metadata,
               coalesce(r.note, case r.outcome
                   when 'unchanged' then 'unchanged: the row has a vector of its present text already'
                   when 'empty' then 'empty: the row has no text, and so no vector' end)
          from evervec.job_receipt r
         where r.job_id = p_job_id
        union all
        select * from (
            select 3, 'dead', d.task_type, d.source_id, d.row_key, null::real, d.attempts, d.attempts, null::timestamptz, d.message,
                   d.created_at, null::timestamptz, d.last_failed_at, d.metadata,
                   case when d.resolved_at is not null then format('resolved by %s', concat_ws(': ', d.resolved_by, d.note)) end
              from evervec.dead_letter d
             where d.job_id = p_job_id
             order by d.dead_letter_id desc
             limit 1) l
    )
    select p_job_id, coalesce(k.state, 'unknown'), k.task_type, s.name, k.row_key, k.progress::real, k.attempt::integer,
           k.max_attempts::integer, k.next_try_at, k.last_error, k.queued_at, k.started_at, k.ended_at, k.metadata, k.note
      from (values (1)) as one (row)
      left join (
        select *
          from known n
         -- Whoever may not see every row is told of none.
         where not coalesce((select evervec.is_confined(s.relation) from evervec.source s where s.source_id = n.source_id), false)
         order by place
         limit 1) k on true
      left join evervec.source s on s.source_id = k.source_id
$$;

comment on function evervec.job_status(bigint) is
$$One row about a job. state: queued, processing, retrying (after an error, at next_try_at), completed (note says when no call was needed), superseded (something else took its place), gone (the row does not exist), dead (see dead_letters), unknown (never there, or done more than 24 hours ago; or of a table whose row-level security applies to you). progress: 0 to 1; of a task that started other jobs, how far they are. attempt of max_attempts: by the policy of the last error; NULL never gives up. A job lives on while its row changes.$$;

revoke execute on function evervec.job_status(bigint) from public;

-- file: functions/queue/keys_query.sql
-- keys_query: the query by which row_keys reads keys, and the key behind which it begins.
--
-- Locks:  none.
-- Raises: VE101 unknown source · VE111 a manual source, or arguments that the filter does not take · VE202 bad row_key · VE208 unknown filter
create or replace function evervec.keys_query(
    p_source    text,
    p_missing   boolean,
    p_filter    text,
    p_arguments jsonb,
    p_after     jsonb,
    out after   jsonb,
    out query   text
)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_sql    record := evervec.fragments(v_source);
    v_keys   record;
begin
    perform evervec.check_option(format('the storage of "%s", for the queue,', v_source.name), v_source.storage, array['table', 'column']);
    after := case when p_after is not null then evervec.check_row_key(v_source, p_after) end;
    select string_agg(format('key_%s', c.ordinality), ', ' order by c.ordinality) as names,
           string_agg(format('k.key_%s', c.ordinality), ', ' order by c.ordinality) as list,
           string_agg(format('e.%I %s k.key_%s', c.target, c.operator, c.ordinality), ' and ' order by c.ordinality) as match
      into v_keys
      from unnest(v_source.target_key_columns, v_source.key_operators) with ordinality as c (target, operator, ordinality);
    query := format(
        $sql$
        select evervec.%1$I(%2$s)
          from (%3$s) as k (%4$s)
         where %5$s and %6$s
         order by %2$s
         limit $3
        $sql$,
        'key_' || v_source.name, v_keys.list,
        case when p_filter is null then format('select %s from %s s', evervec.key_list(v_source, 's'), v_sql.relation)
             else format('select f.* from evervec.%I(%s) f', format('filter_%s_%s', v_source.name, p_filter),
                         evervec.filter_arguments(p_source, p_filter, p_arguments)) end,
        v_keys.names,
        case when p_after is null then 'true'
             else format('(%s) > (%s)', v_keys.list, evervec.key_decoded(v_source, '$2')) end,
        case when p_missing then format('not exists (select from %s e where %s and (e.%I is not null or %s) and %s = %s)',
                                        v_sql.target, v_keys.match, v_source.vector_column, v_sql.archived, v_sql.stored_model, v_source.model_id)
             else 'true' end);
end
$$;

comment on function evervec.keys_query(text, boolean, text, jsonb, jsonb) is
$$Internal. The canonical key behind which to begin, and the text of the query over ($1 the filter's arguments, $2 that key, $3 limit). Raises VE101, VE111, VE202, VE208.$$;

revoke execute on function evervec.keys_query(text, boolean, text, jsonb, jsonb) from public;

-- file: functions/queue/lease_jobs.sql
-- lease_jobs: leases jobs that due_jobs has locked in this transaction.
--
-- Locks:  these jobs.
create or replace function evervec.lease_jobs(p_job_ids bigint[], p_hashes bytea[], p_lease interval, p_lease_token uuid)
returns setof evervec.processing_queue
language sql
set search_path from current
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
    update evervec.processing_queue q
       set status             = 'processing',
           lease_token        = p_lease_token,
           lease_expires_at   = clock_timestamp() + p_lease,
           claimed_generation = q.generation,
           claimed_hash       = u.hash,
           started_at         = clock_timestamp()
      from unnest(p_job_ids, p_hashes) as u (job_id, hash)
     where q.job_id = u.job_id
    returning q.*
$$;

comment on function evervec.lease_jobs(bigint[], bytea[], interval, uuid) is
$$Internal. Leases jobs under a token. p_hashes: SHA-256 of the text of each, for which alone its vector will be stored; NULL members and NULL: it gets no vector.$$;

revoke execute on function evervec.lease_jobs(bigint[], bytea[], interval, uuid) from public;

-- file: functions/queue/lock_leased.sql
-- lock_leased: of some jobs those that a lease still holds, locked.
--
-- Who holds one of them is a fold of many changes, or a user who has enqueued its row: waited for longer than a table, because the vectors
-- are paid for, and longer than deadlock_timeout. Who has a lease is processing; said by its status, a kept plan might read all that are.
-- Locks:  these jobs, in (source_id, task_type, row_key) order, waited for two seconds.
-- Raises: 55P03 one of them stays locked
create or replace function evervec.lock_leased(
    p_lease_token uuid,
    p_job_ids     bigint[],
    out source_ids integer[],
    out row_keys   jsonb[],
    out hashes     bytea[]
)
language sql
set search_path from current
set lock_timeout = '2s'
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
    with locked as materialized (
        select u.ordinality, q.source_id, q.row_key, q.claimed_hash
          from unnest(p_job_ids) with ordinality as u (job_id, ordinality)
          join evervec.processing_queue q on q.job_id = u.job_id
         where q.lease_token = p_lease_token and q.claimed_hash is not null
         order by q.source_id, q.task_type, q.row_key
           for update of q
    )
    select array_agg(l.source_id order by u.ordinality), array_agg(l.row_key order by u.ordinality),
           array_agg(l.claimed_hash order by u.ordinality)
      from unnest(p_job_ids) with ordinality as u (job_id, ordinality)
      left join locked l on l.ordinality = u.ordinality
$$;

comment on function evervec.lock_leased(uuid, bigint[]) is
$$Internal. Locks those of some jobs that wait for their vector under a lease. Source, key and SHA-256 of the text of each, in the order of p_job_ids; NULL: no longer under the lease. Raises 55P03.$$;

revoke execute on function evervec.lock_leased(uuid, bigint[]) from public;

-- file: functions/queue/log_batch.sql
-- log_batch: what became of one processed batch, source by source, with its cost at the models' prices.
--
-- One call a batch. The day's sums (evervec.spending) are what budgets and the view cost go by.
-- Locks:  the sums of today of these sources, in the order of their names: commit at once.
-- Raises: VE301 bad counts
create or replace function evervec.log_batch(
    p_worker      text,
    p_counts      jsonb,
    p_claim_ms    real default null,
    p_embed_ms    real default null,
    p_complete_ms real default null
)
returns void
language plpgsql security definer
set search_path from current
as $$
declare
    v_message text;
begin
    with counted as (
        select c.source, c.model, coalesce(c.claimed, 0) as claimed, coalesce(c.embedded, 0) as embedded, coalesce(c.cached, 0) as cached,
               coalesce(c.unchanged, 0) as unchanged, coalesce(c.failed, 0) as failed, coalesce(c.requests, 0) as requests,
               coalesce(c.tokens, 0) as tokens, m.price_per_million_tokens * coalesce(c.tokens, 0) / 1000000 as cost,
               c.claimed::real / nullif(sum(c.claimed) over (), 0) as share
          from jsonb_to_recordset(p_counts) as c (source text, model text, claimed integer, embedded integer, cached integer, unchanged integer,
                                                  failed integer, requests integer, tokens bigint)
          left join evervec.model m on m.name = c.model
    ), logged as (
        insert into evervec.batch_log
            (worker, source, model, claimed, embedded, cached, unchanged, failed, requests, tokens, cost, claim_ms, embed_ms, complete_ms)
        select p_worker, c.source, c.model, c.claimed, c.embedded, c.cached, c.unchanged, c.failed, c.requests, c.tokens, c.cost,
               p_claim_ms * c.share, p_embed_ms * c.share, p_complete_ms * c.share
          from counted c
    )
    insert into evervec.spending as s (day, source, model, requests, embedded, cached, unchanged, failed, tokens, cost)
    select (now() at time zone 'UTC')::date, c.source, c.model, sum(c.requests), sum(c.embedded), sum(c.cached), sum(c.unchanged), sum(c.failed),
           sum(c.tokens), sum(c.cost)
      from counted c
     where c.source is not null and c.model is not null
     group by c.source, c.model
     order by c.source, c.model
    on conflict (day, source, model) do update
       set requests  = s.requests + excluded.requests,
           embedded  = s.embedded + excluded.embedded,
           cached    = s.cached + excluded.cached,
           unchanged = s.unchanged + excluded.unchanged,
           failed    = s.failed + excluded.failed,
           tokens    = s.tokens + excluded.tokens,
           cost      = coalesce(s.cost + excluded.cost, s.cost, excluded.cost);
exception when data_exception or check_violation then
    get stacked diagnostics v_message = message_text;
    raise exception using
        errcode = 'VE301',
        message = 'log_batch needs the counts of a batch: an array of objects, one a source',
        detail  = v_message,
        hint    = 'For example: SELECT evervec.log_batch(''worker-1'', ''[{"source": "film", "model": "local", "claimed": 10, "embedded": 10, "requests": 1, "tokens": 320}]'');';
end
$$;

comment on function evervec.log_batch(text, jsonb, real, real, real) is
$$Records one processed batch in batch_log and the view cost. p_counts: an array of objects, one a source, with its name and its model's, and of its jobs: claimed, embedded, cached, unchanged, failed; of the provider: requests, tokens; what is left out is 0. A source or model that is NULL is recorded, and costs nothing. p_claim_ms, p_embed_ms, p_complete_ms: milliseconds of the whole batch, divided among its sources by their jobs. The cost follows from the model's price. Commit at once: other workers add to the same sums. Raises VE301.$$;

revoke execute on function evervec.log_batch(text, jsonb, real, real, real) from public;

-- file: functions/queue/log_slice.sql
-- log_slice: physical addresses of committed changes, from one block on and before another, in the order of the table.
--
-- Locks:  none.
create or replace function evervec.log_slice(p_from bigint, p_limit integer, p_before bigint default null)
returns tid[]
language plpgsql stable
set search_path from current
as $$
declare
    v_rows tid[];
begin
    -- Dynamic, because a TID range scan is planned only for bounds that the planner can see.
    execute format(
        'select array(select l.ctid from evervec.change_log l where l.ctid >= %L %s limit %s)',
        format('(%s,0)', p_from),
        case when p_before is not null then format('and l.ctid < %L', format('(%s,0)', p_before)) end,
        p_limit)
    into v_rows;
    return v_rows;
end
$$;

comment on function evervec.log_slice(bigint, integer, bigint) is
$$Internal. ctids of up to p_limit rows of change_log from block p_from on, before block p_before (NULL: to the end).$$;

revoke execute on function evervec.log_slice(bigint, integer, bigint) from public;

-- file: functions/queue/named_jobs.sql
-- named_jobs: those of the given jobs that are due, locked, the most urgent first.
--
-- A job whose lease has expired twice in succession is left to due_jobs, which hands it out alone.
-- Locks:  these jobs, SKIP LOCKED.
create or replace function evervec.named_jobs(p_job_ids bigint[], p_limit bigint, p_sources integer[])
returns setof evervec.processing_queue
language sql
set search_path from current
as $$
    select q.*
      from evervec.processing_queue q
     where q.job_id = any (p_job_ids) and q.status = 'pending' and q.available_at <= now() and q.source_id = any (p_sources)
       and q.task_type = 'embed' and q.expiries < 2
     order by q.priority, q.job_id
     limit p_limit
       for update skip locked
$$;

comment on function evervec.named_jobs(bigint[], bigint, integer[]) is
$$Internal. Locks up to p_limit of the given jobs, as far as they are due rows of the given sources, to be leased in this transaction.$$;

revoke execute on function evervec.named_jobs(bigint[], bigint, integer[]) from public;

-- file: functions/queue/next_slice.sql
-- next_slice: feed_slice, which no row can stop: when a recipe fails on some row, the whole slice is queued, and claim_jobs finds out
-- on which.
--
-- Locks:  those of feed_slice.
create or replace function evervec.next_slice(
    p_source     evervec.source,
    p_limit      integer,
    out examined bigint,
    out missing  bigint,
    out stale    bigint,
    out orphaned bigint
)
language plpgsql
set search_path from current
as $$
begin
    select f.* into examined, missing, stale, orphaned
      from evervec.feed_slice(p_source, p_limit, p_source.pass_kind = 'reconcile') f;
exception
    when lock_not_available then
        raise;
    when others then
        select f.* into examined, missing, stale, orphaned from evervec.feed_slice(p_source, p_limit, false, p_all => true) f;
end
$$;

comment on function evervec.next_slice(evervec.source, integer) is
$$Internal. The next slice of a source's pass, whatever its rows do to the recipe; counts as feed_slice. Raises 55P03.$$;

revoke execute on function evervec.next_slice(evervec.source, integer) from public;

-- file: functions/queue/open_letter.sql
-- open_letter: a dead letter that waits for somebody, locked; or the error that says why it does not.
--
-- Locks:  the dead letter.
-- Raises: VE304 no such letter, or it is resolved
create or replace function evervec.open_letter(p_dead_letter_id bigint)
returns evervec.dead_letter
language plpgsql
set search_path from current
as $$
declare
    v_letter evervec.dead_letter;
begin
    select * into v_letter from evervec.dead_letter d where d.dead_letter_id = p_dead_letter_id for update;
    if not found then
        raise exception using
            errcode = 'VE304',
            message = format('dead letter %s does not exist', coalesce(p_dead_letter_id::text, 'NULL')),
            detail  = 'Perhaps it was kept for as long as evervec.setting says.',
            hint    = 'Those that are open: SELECT * FROM evervec.dead_letters();';
    elsif v_letter.resolved_at is not null then
        raise exception using
            errcode = 'VE304',
            message = format('dead letter %s is resolved already', p_dead_letter_id),
            detail  = format('By %s, at %s.', concat_ws(': ', v_letter.resolved_by, v_letter.note), v_letter.resolved_at),
            hint    = 'Those that are open: SELECT * FROM evervec.dead_letters();';
    end if;
    return v_letter;
end
$$;

comment on function evervec.open_letter(bigint) is
$$Internal. An open dead letter by its id, locked. Raises VE304.$$;

revoke execute on function evervec.open_letter(bigint) from public;

-- file: functions/queue/operation_priority.sql
-- operation_priority: the priority of what enqueue queues: the one that is given, else that of the operation, which must be known.
--
-- Locks:  none.
-- Raises: VE302 unknown operation
create or replace function evervec.operation_priority(p_operation text, p_priority integer)
returns integer
language plpgsql immutable
set search_path from current
as $$
declare
    v_priority integer := case p_operation when 'create' then 1 when 'update' then 5 when 'bulk' then 8 when 'retry' then 5 end;
begin
    if v_priority is null then
        raise exception using
            errcode = 'VE302',
            message = format('operation %s is not known', coalesce(quote_literal(p_operation), 'NULL')),
            detail  = 'Operations and their priorities: create 1, update 5, bulk 8, retry 5.',
            hint    = 'Choose one of these; p_priority may say otherwise.';
    end if;
    return coalesce(p_priority, v_priority);
end
$$;

comment on function evervec.operation_priority(text, integer) is
$$Internal. p_priority, or where it is NULL 1, 5, 8 or 5 for create, update, bulk or retry. Raises VE302.$$;

revoke execute on function evervec.operation_priority(text, integer) from public;

-- file: functions/queue/pending.sql
-- pending: what is still to be done, of one source or of all.
--
-- Locks:  none.
-- Raises: VE101 unknown source
create or replace function evervec.pending(p_source text default null)
returns table (log bigint, queued bigint, processing bigint, retrying bigint, backfill bigint)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source_id integer := case when p_source is not null then (evervec.source_named(p_source)).source_id end;
begin
    return query
    select (select count(*) from evervec.change_log l
             where l.source_id = v_source_id
                or v_source_id is null and l.source_id in (select s.source_id from evervec.source s)),
           q.queued, q.processing, q.retrying,
           (select coalesce(sum(greatest(evervec.estimated_rows(s.relation) - s.pass_examined, 1)), 0)::bigint
              from evervec.source s
             where s.pass_kind is not null and (v_source_id is null or s.source_id = v_source_id))
      from (
        select count(*) filter (where j.status = 'pending' and j.attempts = 0) as queued,
               count(*) filter (where j.status = 'processing') as processing,
               count(*) filter (where j.status = 'pending' and j.attempts > 0) as retrying
          from evervec.processing_queue j
         where v_source_id is null or j.source_id = v_source_id
      ) q;
end
$$;

comment on function evervec.pending(text) is
$$Work not done yet, of one source or (NULL) of all. log: changes not folded; queued, processing, retrying: jobs, exact; backfill: estimate of the rows that a pass under way has not looked at, at least 1 while there is a pass. All 0: every vector is up to date. Raises VE101.$$;

revoke execute on function evervec.pending(text) from public;

-- file: functions/queue/queue_keys.sql
-- queue_keys: one job a key that somebody asks for; a row that has a job already keeps it, and it is due at once.
--
-- Locks:  rows of processing_queue in (source_id, task_type, row_key) order.
create or replace function evervec.queue_keys(
    p_source   evervec.source,
    p_row_keys jsonb[],
    p_priority integer,
    p_metadata jsonb
)
returns bigint[]
language sql
set search_path from current
as $$
    with queued as (
        insert into evervec.processing_queue as q (source_id, row_key, priority, metadata)
        select p_source.source_id, u.row_key, p_priority, p_metadata
          from (select distinct k.row_key from unnest(p_row_keys) as k (row_key)) u
         order by u.row_key
        on conflict (source_id, task_type, row_key) do update
           set generation   = q.generation + 1,
               priority     = least(q.priority, excluded.priority),
               available_at = least(q.available_at, excluded.available_at),
               metadata     = q.metadata || excluded.metadata
        returning q.job_id, q.row_key
    )
    select coalesce(array_agg(q.job_id order by k.ordinality), '{}')
      from unnest(p_row_keys) with ordinality as k (row_key, ordinality)
      join queued q on q.row_key = k.row_key
$$;

comment on function evervec.queue_keys(evervec.source, jsonb[], integer, jsonb) is
$$Internal. Queues rows by their canonical keys; returns a job id each, in the same order.$$;

revoke execute on function evervec.queue_keys(evervec.source, jsonb[], integer, jsonb) from public;

-- file: functions/queue/queue_rows.sql
-- queue_rows: one job a row: a row that has one already counts one generation more.
--
-- A key too long for the queue's index goes to the dead letters, alone.
-- Locks:  rows of processing_queue in (source_id, task_type, row_key) order.
create or replace function evervec.queue_rows(
    p_source     evervec.source,
    p_row_keys   jsonb[],
    p_changes    bigint[],
    p_priorities smallint[],
    p_metadata   jsonb[]
)
returns bigint
language sql
set search_path from current
as $$
    with given as materialized (
        select u.row_key, u.changes, coalesce(u.priority, p_source.priority) as priority, u.metadata,
               octet_length(u.row_key::text) > 2000 as too_long
          from unnest(p_row_keys, p_changes, p_priorities, p_metadata) as u (row_key, changes, priority, metadata)
    ), buried as (
        insert into evervec.dead_letter
            (source_id, task_type, row_key, priority, error_class, message, metadata, first_failed_at)
        select p_source.source_id, 'embed', g.row_key, g.priority, 'bad_input',
               'The key is longer than 2,000 bytes, too long for an index of the queue.', g.metadata, now()
          from given g
         where g.too_long
           and not exists (select from evervec.dead_letter d
                            where d.source_id = p_source.source_id and d.row_key = g.row_key and d.resolved_at is null)
    ), queued as (
        insert into evervec.processing_queue as q (source_id, row_key, priority, generation, metadata)
        select p_source.source_id, g.row_key, g.priority, greatest(g.changes, 1), g.metadata
          from given g
         where not g.too_long
           -- A pass (no changes) leaves a job alone that is there already.
           and (g.changes > 0 or not exists (
                select from evervec.processing_queue j
                 where j.source_id = p_source.source_id and j.task_type = 'embed' and j.row_key = g.row_key))
         order by g.row_key
        on conflict (source_id, task_type, row_key) do update
           set generation = q.generation + excluded.generation,
               priority   = least(q.priority, excluded.priority)
        returning 1
    )
    select count(*) from queued
$$;

comment on function evervec.queue_rows(evervec.source, jsonb[], bigint[], smallint[], jsonb[]) is
$$Internal. Queues rows for embedding. p_priorities: NULL members take the source's. Returns the number of jobs made or counted up.$$;

revoke execute on function evervec.queue_rows(evervec.source, jsonb[], bigint[], smallint[], jsonb[]) from public;

-- file: functions/queue/reclaim.sql
-- reclaim: makes jobs pending again whose lease has expired; their worker is late or dead.
--
-- A text may be what kills its worker. Nobody could tell which one of a batch, so a job whose lease has expired twice in succession
-- is leased alone from then on (due_jobs), and one that even so expires for the fifth time is given up: it is isolated, and its
-- batch is not buried with it.
-- Locks:  the expired jobs, SKIP LOCKED, in (source_id, task_type, row_key) order.
create or replace function evervec.reclaim(p_limit integer default 1000)
returns bigint
language plpgsql
set search_path from current
as $$
declare
    v_jobs record;
begin
    with expired as (
        select q.job_id
          from evervec.processing_queue q
         where q.status = 'processing' and q.lease_expires_at < now()
         order by q.source_id, q.task_type, q.row_key
         limit p_limit
           for update skip locked
    ), reclaimed as (
        update evervec.processing_queue q
           set status = 'pending', lease_token = null, lease_expires_at = null, available_at = now(),
               expiries   = q.expiries + 1,
               last_error = 'lease expired',
               failures   = evervec.with_failure(
                   q.failures, 'timeout', 'lease expired: its worker was not heard of again', null)
          from expired e
         where q.job_id = e.job_id
        returning q.job_id, q.expiries >= 5 as dead
    )
    select count(*) as jobs, array_agg(r.job_id) filter (where r.dead) as dead into v_jobs from reclaimed r;
    if v_jobs.dead is null then
        return v_jobs.jobs;
    end if;
    perform evervec.bury_jobs(v_jobs.dead, 'timeout', 'lease expired five times: what it is embedded from may be killing the worker');
    return v_jobs.jobs;
end
$$;

comment on function evervec.reclaim(integer) is
$$Internal. Returns up to p_limit jobs with an expired lease to pending; gives their number.$$;

revoke execute on function evervec.reclaim(integer) from public;

-- file: functions/queue/reconcile.sql
-- reconcile: compares one slice of a source by hash and queues what is missing, stale or orphaned.
--
-- Call it until examined is 0: first all rows in key order, then all vectors. Where it was interrupted, the next call goes on; workers
-- go on with it too.
-- Locks:  the row of evervec.source; ACCESS SHARE on the table.
-- Raises: VE101 unknown source
create or replace function evervec.reconcile(p_source text, p_limit integer default 10000)
returns table (examined bigint, missing bigint, stale bigint, orphaned bigint)
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    select * into v_source from evervec.source s where s.source_id = v_source.source_id for update;
    if v_source.pass_kind is distinct from 'reconcile' then
        perform evervec.start_pass(v_source.source_id, 'reconcile');
        select * into v_source from evervec.source s where s.source_id = v_source.source_id;
    end if;
    return query select n.examined, n.missing, n.stale, n.orphaned from evervec.next_slice(v_source, p_limit) n;
end
$$;

comment on function evervec.reconcile(text, integer) is
$$One slice (default 10,000 rows) of a comparison of all texts and vectors of a source: begins one, or goes on with the one under way. Queues what is missing (no vector), stale (of another text or model) or orphaned (no row), and counts them. Call it until examined is 0. Raises VE101.$$;

revoke execute on function evervec.reconcile(text, integer) from public;

-- file: functions/queue/release_jobs.sql
-- release_jobs: gives leased jobs back untouched, at no cost of an attempt: a worker that stops, a lock that was refused.
--
-- Locks:  the jobs in (source_id, task_type, row_key) order.
create or replace function evervec.release_jobs(p_lease_token uuid, p_job_ids bigint[])
returns integer
language sql security definer
set search_path from current
as $$
    with leased as (
        select q.job_id
          from evervec.processing_queue q
         where q.job_id = any (p_job_ids) and q.lease_token = p_lease_token
         order by q.source_id, q.task_type, q.row_key
           for update
    ), released as (
        update evervec.processing_queue q
           set status = 'pending', lease_token = null, lease_expires_at = null
          from leased l
         where q.job_id = l.job_id
        returning 1
    )
    select count(*)::integer from released
$$;

comment on function evervec.release_jobs(uuid, bigint[]) is
$$Returns leased jobs to pending without costing an attempt; gives the number that were still leased under the token.$$;

revoke execute on function evervec.release_jobs(uuid, bigint[]) from public;

-- file: functions/queue/render_jobs.sql
-- render_jobs: the texts of jobs of one source; leases those that need a vector and settles the others.
--
-- All rows are rendered in one statement. When that fails, they are rendered one by one, so that an error hurts its row only.
-- Locks:  ROW SHARE on the source; vectors of vanished rows, SKIP LOCKED.
create or replace function evervec.render_jobs(
    p_source      evervec.source,
    p_jobs        evervec.processing_queue[],
    p_lease       interval,
    p_lease_token uuid,
    p_cached      boolean
)
returns table (
    job_id       bigint,
    state        text,
    content      text,
    content_hash bytea
)
language plpgsql
set search_path from current
as $$
declare
    v_job_ids bigint[] := array(select q.job_id from unnest(p_jobs) with ordinality as q order by q.ordinality);
    v_keys    jsonb[]  := array(select q.row_key from unnest(p_jobs) with ordinality as q order by q.ordinality);
    v_states  text[];
    v_texts   text[];
    v_hashes  bytea[];
    -- As long as the others from the start: assigned to beyond its end, an array that is NULL begins there.
    v_errors  text[]   := array_fill(null::text, array[cardinality(p_jobs)]);
    v_erase   integer[];
    v_held    integer;
    v_since   timestamptz;
begin
    if p_cached and p_source.cache then
        v_since := now() - evervec.setting_interval('cache_keep', '30 days');
    end if;

    begin
        select r.states, r.texts, r.hashes into v_states, v_texts, v_hashes
          from evervec.render_states(p_source, v_keys, v_since) r;
    exception
        when lock_not_available then
            v_states := array_fill('locked'::text, array[cardinality(v_job_ids)]);
        when others then
            for v_ordinal in 1 .. cardinality(v_job_ids) loop
                begin
                    select v_states || r.states, v_texts || r.texts, v_hashes || r.hashes
                      into v_states, v_texts, v_hashes
                      from evervec.render_states(p_source, v_keys[v_ordinal : v_ordinal], v_since) r;
                exception when others then
                    v_states[v_ordinal] := 'failed';
                    v_texts[v_ordinal] := null;
                    v_hashes[v_ordinal] := null;
                    v_errors[v_ordinal] := sqlerrm;
                end;
            end loop;
    end;

    -- The vector of a row without text goes; one that a user's transaction holds is tried again later.
    v_erase := array(select u.ordinality from unnest(v_states) with ordinality as u (state, ordinality)
                      where u.state in ('gone', 'empty') order by 1);
    if cardinality(v_erase) > 0 then
        foreach v_held in array evervec.erase_vectors(p_source, array(
            select v_keys[u.ordinal]
              from unnest(v_erase) with ordinality as u (ordinal, position)
             order by u.position))
        loop
            v_states[v_erase[v_held]] := 'locked';
        end loop;
    end if;

    if p_source.text_search is not null and 'unchanged' = any (v_states) then
        -- Its vector is right; the words may have to be written yet, or anew: that costs nothing but the writing.
        begin
            execute format('select evervec.%I($1)', 'redocument_' || p_source.name)
            using array(select u.row_key from unnest(v_keys, v_states) as u (row_key, state) where u.state = 'unchanged');
        exception when others then
            -- No reason to keep these jobs, or the other sources: a reconcile finds what is missing.
            null;
        end;
    end if;

    perform evervec.finish_jobs(array_agg(u.job_id), array_agg(u.state))
       from unnest(v_job_ids, v_states) as u (job_id, state)
      where u.state not in ('embed', 'cached', 'failed')
     having count(*) > 0;
    perform evervec.lease_jobs(array_agg(u.job_id), array_agg(case when u.state <> 'failed' then u.hash end), p_lease, p_lease_token)
       from unnest(v_job_ids, v_states, v_hashes) as u (job_id, state, hash)
      where u.state in ('embed', 'cached', 'failed')
     having count(*) > 0;
    perform evervec.fail_jobs(p_lease_token, array[u.job_id], 'render', u.error)
       from unnest(v_job_ids, v_states, v_errors) as u (job_id, state, error)
      where u.state = 'failed';

    return query
    select u.job_id, u.state, case when u.state = 'embed' then u.content end, case when u.state in ('embed', 'cached') then u.hash end
      from unnest(v_job_ids, v_states, v_texts, v_hashes) as u (job_id, state, content, hash);
end
$$;

comment on function evervec.render_jobs(evervec.source, evervec.processing_queue[], interval, uuid, boolean) is
$$Internal. Renders jobs of one source that due_jobs has locked; settles those whose row is gone, empty or unchanged, fails those that do not render, leases the others.$$;

revoke execute on function evervec.render_jobs(evervec.source, evervec.processing_queue[], interval, uuid, boolean) from public;

-- file: functions/queue/render_states.sql
-- render_states: for some keys of a source, the texts as they are now, as far as its model reads them, and whether each needs a vector.
--
-- Locks:  none beyond ACCESS SHARE.
create or replace function evervec.render_states(
    p_source   evervec.source,
    p_row_keys jsonb[],
    p_since    timestamptz,
    out states text[],
    out texts  text[],
    out hashes bytea[]
)
language plpgsql stable
set search_path from current
as $$
begin
    execute format(
        $sql$
        select array_agg(case when not r.present then 'gone'
                              when $3 then 'unchanged'
                              when r.content is null then 'empty'
                              when r.stored_hash = r.content_hash and r.stored_model_id = $2 then 'unchanged'
                              when exists (select from evervec.embedding_cache c
                                            where c.model_id = $2 and c.content_hash = r.content_hash and c.used_at >= $4
                                              and (c.note is null or $5)) then 'cached'
                              else 'embed' end order by r.ordinal),
               array_agg(r.content order by r.ordinal),
               array_agg(r.content_hash order by r.ordinal)
          from evervec.%I($1, $6) r
        $sql$,
        'render_' || p_source.name)
    into states, texts, hashes
    using p_row_keys, p_source.model_id, p_source.storage = 'manual', p_since, p_source.too_long = 'cut',
          -- Workers take four characters for a token; one more tells them that the text goes on.
          (select least(4::bigint * m.input_limit + 1, 2147483647)::integer from evervec.model m where m.model_id = p_source.model_id);
end
$$;

comment on function evervec.render_states(evervec.source, jsonb[], timestamptz) is
$$Internal. Per key, in order: gone, empty, unchanged, cached (since p_since; NULL: no cache) or embed; the text, one character more than the model reads at most; SHA-256 of the whole text.$$;

revoke execute on function evervec.render_states(evervec.source, jsonb[], timestamptz) from public;

-- file: functions/queue/requeue_letters.sql
-- requeue_letters: open dead letters become jobs again, with all their attempts, and are thereby resolved.
--
-- A row that has a job meanwhile keeps that one. The caller has locked the letters, and seen that they are open, that their sources
-- are tracked and that their keys fit into the queue's index.
-- Locks:  rows of processing_queue in (source_id, task_type, row_key) order.
create or replace function evervec.requeue_letters(p_dead_letter_ids bigint[])
returns table (dead_letter_id bigint, job_id bigint)
language sql
set search_path from current
as $$
    with letter as materialized (
        -- Of several letters of a row one job comes; a task has no row, and stands for itself.
        select d.*, coalesce(d.row_key, to_jsonb(d.dead_letter_id)) as matter,
               d.metadata - '{began,last}'::text[] || jsonb_build_object('origin', 'dlq-retry', 'dead_letter_id', d.dead_letter_id) as data
          from evervec.dead_letter d
         where d.dead_letter_id = any (p_dead_letter_ids)
    ), queued as (
        insert into evervec.processing_queue as q (source_id, task_type, row_key, task_data, priority, metadata)
        select n.source_id, n.task_type, n.row_key, n.task_data, n.priority, n.data
          from (
            select distinct on (l.source_id, l.task_type, l.matter) l.*
              from letter l
             order by l.source_id, l.task_type, l.matter, l.dead_letter_id desc
          ) n
         order by n.source_id, n.task_type, n.row_key
        on conflict (source_id, task_type, row_key) do update
           set generation   = q.generation + 1,
               attempts     = 0,
               expiries     = 0,
               priority     = least(q.priority, excluded.priority),
               available_at = least(q.available_at, excluded.available_at),
               metadata     = q.metadata || excluded.metadata
        returning q.job_id, q.source_id, q.task_type, coalesce(q.row_key, q.metadata -> 'dead_letter_id') as matter
    )
    update evervec.dead_letter d
       set resolved_at = now(), resolved_by = 'retry', note = format('retried as job %s', q.job_id)
      from letter l
      join queued q
        on l.matter = q.matter and l.task_type = q.task_type and coalesce(l.source_id, 0) = coalesce(q.source_id, 0)
     where d.dead_letter_id = l.dead_letter_id
    returning d.dead_letter_id, q.job_id
$$;

comment on function evervec.requeue_letters(bigint[]) is
$$Internal. Queues dead letters anew and resolves them; returns the job of each.$$;

revoke execute on function evervec.requeue_letters(bigint[]) from public;

-- file: functions/queue/resolve_dead_letter.sql
-- resolve_dead_letter: somebody has looked at it, and nothing is to be tried anew.
--
-- Locks:  the dead letter.
-- Raises: VE304 no such letter, or it is resolved
create or replace function evervec.resolve_dead_letter(
    p_dead_letter_id bigint,
    p_by             text default current_user,
    p_note           text default null
)
returns void
language plpgsql security definer
set search_path from current
as $$
begin
    perform evervec.open_letter(p_dead_letter_id);
    update evervec.dead_letter d
       set resolved_at = now(), resolved_by = coalesce(p_by, session_user), note = p_note
     where d.dead_letter_id = p_dead_letter_id;
end
$$;

comment on function evervec.resolve_dead_letter(bigint, text, text) is
$$Marks a dead letter as settled without another attempt. p_by: who says so, default the calling role; p_note: why. Raises VE304.$$;

revoke execute on function evervec.resolve_dead_letter(bigint, text, text) from public;

-- file: functions/queue/retry_dead_letter.sql
-- retry_dead_letter: one job that gave up is tried anew, from its first attempt.
--
-- Locks:  the dead letter; the job of its row, where there is one.
-- Raises: VE202 its key is none of the source's any more · VE303 a key too long for the queue ·
--         VE304 no such letter, or it is resolved, or its source is gone
create or replace function evervec.retry_dead_letter(p_dead_letter_id bigint)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_letter evervec.dead_letter := evervec.open_letter(p_dead_letter_id);
    v_source evervec.source;
begin
    select * into v_source from evervec.source s where s.source_id = v_letter.source_id;
    if not found and v_letter.source_id is not null then
        raise exception using
            errcode = 'VE304',
            message = format('the source of dead letter %s is not tracked any more', p_dead_letter_id),
            detail  = 'There is nothing that a retry could embed.',
            hint    = 'Call evervec.resolve_dead_letter().';
    elsif v_letter.row_key is not null then
        perform evervec.checked_keys(v_source, array[v_letter.row_key]);
    end if;
    return (select r.job_id from evervec.requeue_letters(array[p_dead_letter_id]) r);
end
$$;

comment on function evervec.retry_dead_letter(bigint) is
$$Queues a dead letter anew and resolves it; its attempts begin from one. Returns the id of the new job, or of the one that its row has already; metadata.origin of the job is dlq-retry. Raises VE202, VE303, VE304.$$;

revoke execute on function evervec.retry_dead_letter(bigint) from public;

-- file: functions/queue/retry_dead_letter_of_job.sql
-- retry_dead_letter_of_job: as retry_dead_letter, by the id of the job that gave up.
--
-- Locks:  those of retry_dead_letter.
-- Raises: VE202 its key is none of the source's any more · VE303 a key too long for the queue · VE304 the job has no open letter, or its source is gone
create or replace function evervec.retry_dead_letter_of_job(p_job_id bigint)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_id bigint := (
        select max(d.dead_letter_id) from evervec.dead_letter d where d.job_id = p_job_id and d.resolved_at is null);
begin
    if v_id is null then
        raise exception using
            errcode = 'VE304',
            message = format('job %s has no open dead letter', coalesce(p_job_id::text, 'NULL')),
            detail  = format('It is %s.', (select s.state from evervec.job_status(p_job_id) s)),
            hint    = 'Those that are open: SELECT * FROM evervec.dead_letters();';
    end if;
    return evervec.retry_dead_letter(v_id);
end
$$;

comment on function evervec.retry_dead_letter_of_job(bigint) is
$$Queues the dead letter of a job anew and resolves it; returns the id of the new job, or of the one that its row has already. Raises VE202, VE303, VE304.$$;

revoke execute on function evervec.retry_dead_letter_of_job(bigint) from public;

-- file: functions/queue/retry_dead_letters.sql
-- retry_dead_letters: many jobs that gave up are tried anew, once what they died of is mended.
--
-- Locks:  10,000 dead letters at most, SKIP LOCKED; the jobs of their rows, where there are any.
-- Raises: VE101 unknown source
create or replace function evervec.retry_dead_letters(p_source text default null, p_class text default null)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source_id integer := case when p_source is not null then (evervec.source_named(p_source)).source_id end;
    v_ids       bigint[];
begin
    v_ids := array(
        select d.dead_letter_id
          from evervec.dead_letter d
         where d.resolved_at is null
           and (p_source is null or d.source_id = v_source_id)
           and (p_class is null or d.error_class = p_class)
           and coalesce(octet_length(d.row_key::text), 0) <= 2000
           and (d.source_id is null or exists (select from evervec.source s where s.source_id = d.source_id))
         order by d.dead_letter_id
         limit 10000
           for update of d skip locked);
    return (select count(*) from evervec.requeue_letters(v_ids));
end
$$;

comment on function evervec.retry_dead_letters(text, text) is
$$Queues open dead letters anew and resolves them: of one source or (NULL) all, of one error class or all. At most 10,000 a call; returns how many, so call it until 0. Keys too long for the queue stay. Raises VE101.$$;

revoke execute on function evervec.retry_dead_letters(text, text) from public;

-- file: functions/queue/retry_delay.sql
-- retry_delay: how long a job waits before its next attempt.
--
-- Locks:  none.
create or replace function evervec.retry_delay(p_policy evervec.retry_policy, p_attempts integer)
returns interval
language sql volatile
set search_path from current
as $$
    select least(p_policy.base_delay * power(2, least(greatest(p_attempts - 1, 0), 20)), p_policy.max_delay)
           * (1 + p_policy.jitter * random())
$$;

comment on function evervec.retry_delay(evervec.retry_policy, integer) is
$$Internal. base × 2^(attempts − 1), at most max_delay, plus up to the policy's jitter of it.$$;

revoke execute on function evervec.retry_delay(evervec.retry_policy, integer) from public;

-- file: functions/queue/row_keys.sql
-- row_keys: keys of rows to be queued, slice by slice: of a source, or of what a filter leaves of it.
--
-- Runs as the caller: it reads the table of the source, and what the filter reads.
--
-- Locks:  ACCESS SHARE on the table and its embedding table.
-- Raises: VE101 unknown source · VE111 a manual source, or arguments that the filter does not take · VE202 bad row_key · VE204 bad limit ·
--         VE208 unknown filter
create or replace function evervec.row_keys(
    p_source    text,
    p_missing   boolean default true,
    p_filter    text default null,
    p_arguments jsonb default '{}',
    p_after     jsonb default null,
    p_limit     integer default 100
)
returns setof jsonb
language plpgsql stable
set search_path from current
as $$
declare
    v_search record;
begin
    select * into v_search from evervec.keys_query(p_source, p_missing, p_filter, p_arguments, p_after);
    if coalesce(p_limit < 1, true) then
        raise exception using
            errcode = 'VE204', message = 'row_keys needs a limit of 1 or more',
            detail  = format('p_limit is %s.', coalesce(p_limit::text, 'NULL')),
            hint    = 'For example: SELECT * FROM evervec.row_keys(''film'', p_limit => 100);';
    end if;
    return query execute v_search.query using p_arguments, v_search.after, p_limit;
end
$$;

comment on function evervec.row_keys(text, boolean, text, jsonb, jsonb, integer) is
$$Keys of rows, in their order, to be given to enqueue. p_missing: only of rows without a vector of the source's model (default); one whose text is empty is among them, an archived one is not. p_filter: among the rows that this filter (see add_filter) leaves, such as one user's; p_arguments: a JSON object with a member for each of its parameters. p_after: the key behind which to begin; NULL: at the first row. p_limit: how many at most, default 100; where there are as many, give the last as p_after next. Runs with the caller's privileges: SELECT on the table is yours to grant. Raises VE101, VE111, VE202, VE204, VE208.$$;

revoke execute on function evervec.row_keys(text, boolean, text, jsonb, jsonb, integer) from public;

-- file: functions/queue/row_priorities.sql
-- row_priorities: the priorities of rows by the source's expression; NULL where it has none, or fails.
--
-- Locks:  none beyond ACCESS SHARE.
create or replace function evervec.row_priorities(p_source evervec.source, p_row_keys jsonb[])
returns smallint[]
language plpgsql stable
set search_path from current
as $$
declare
    v_priorities smallint[];
    v_one        smallint[];
    v_call       text := format('select evervec.%I($1)', 'priority_' || p_source.name);
begin
    if p_source.priority_sql is null then
        return array_fill(null::smallint, array[cardinality(p_row_keys)]);
    end if;
    begin
        execute v_call into v_priorities using p_row_keys;
        return v_priorities;
    exception when others then
        -- One row's error costs that row its priority, not the others.
        for v_ordinal in 1 .. cardinality(p_row_keys) loop
            begin
                execute v_call into v_one using p_row_keys[v_ordinal : v_ordinal];
                v_priorities[v_ordinal] := v_one[1];
            exception when others then
                v_priorities[v_ordinal] := null;
            end;
        end loop;
        return v_priorities;
    end;
end
$$;

comment on function evervec.row_priorities(evervec.source, jsonb[]) is
$$Internal. One priority a key, in order; NULL: the source's default.$$;

revoke execute on function evervec.row_priorities(evervec.source, jsonb[]) from public;

-- file: functions/queue/run_task.sql
-- run_task: one step of a leased task, in a subtransaction of its own; settles the job.
--
-- The job of a task that started other jobs stays, looked at every two seconds, until they are done.
-- Locks:  those of task_step.
create or replace function evervec.run_task(p_job evervec.processing_queue)
returns text
language plpgsql
set search_path from current
as $$
declare
    v_done  boolean := false;
    v_class text;
    v_error text;
    v_dead  bigint;
begin
    if p_job.task_type <> all (array['regenerate', 'batch', 'user_model_update']) then
        v_class := 'bad_input';
        v_error := format('Task type "%s" is not known to this version.', p_job.task_type);
    else
        begin
            v_done := evervec.task_step(p_job);
        exception
            when lock_not_available then
                null;
            when others then
                v_error := sqlerrm;
                v_class := case when sqlstate like 'VE%' then 'bad_input' else 'server_error' end;
        end;
    end if;

    if v_class = 'bad_input' then
        -- Another attempt would end in the same way, whatever the policy for such rows is.
        update evervec.processing_queue q
           set attempts = q.attempts + 1, failures = evervec.with_failure(q.failures, v_class, v_error, null)
         where q.job_id = p_job.job_id;
        perform evervec.bury_jobs(array[p_job.job_id], v_class, v_error);
        return 'failed';
    elsif v_class is not null then
        perform evervec.fail_jobs(p_job.lease_token, array[p_job.job_id], v_class, v_error);
        return 'failed';
    elsif not v_done then
        update evervec.processing_queue q
           set status = 'pending', lease_token = null, lease_expires_at = null, expiries = 0,
               available_at = clock_timestamp() + interval '2 seconds'
         where q.job_id = p_job.job_id;
        return null;
    end if;
    select count(*) into v_dead
      from evervec.dead_letter d
     where d.source_id = p_job.source_id and d.resolved_at is null and d.last_failed_at >= (p_job.metadata ->> 'began')::timestamptz;
    perform evervec.finish_jobs(array[p_job.job_id], array['completed'], array[case when v_dead > 0 then format(
        '%s rows of its source gave up meanwhile', v_dead) end]);
    return 'done';
end
$$;

comment on function evervec.run_task(evervec.processing_queue) is
$$Internal. Runs one step of a leased task and settles it; returns done, failed or, while it goes on, NULL.$$;

revoke execute on function evervec.run_task(evervec.processing_queue) from public;

-- file: functions/queue/start_pass.sql
-- start_pass: begins a pass over a whole source; a reconcile under way is not weakened to a backfill.
--
-- Locks:  ROW EXCLUSIVE on evervec.source.
create or replace function evervec.start_pass(p_source_id integer, p_kind text)
returns void
language sql
set search_path from current
as $$
    update evervec.source s
       set pass_kind     = case when s.pass_kind = 'reconcile' then 'reconcile' else p_kind end,
           pass_stage    = case when s.storage = 'manual' then 'vectors' else 'rows' end,
           pass_after    = null,
           pass_at       = now(),
           pass_examined = 0,
           pass_missing  = 0,
           pass_stale    = 0,
           pass_orphaned = 0
     where s.source_id = p_source_id
$$;

comment on function evervec.start_pass(integer, text) is
$$Internal. Begins a pass (backfill or reconcile) over a source at its first row.$$;

revoke execute on function evervec.start_pass(integer, text) from public;

-- file: functions/queue/task_left.sql
-- task_left: how many jobs of those that a task has started are still in the queue, counted up to p_most.
--
-- Those of a pass have higher ids than the task; metadata.last is the highest that there was when the pass was over.
-- Locks:  none.
create or replace function evervec.task_left(p_job evervec.processing_queue, p_most bigint default null)
returns bigint
language plpgsql stable
set search_path from current
as $$
begin
    if p_job.task_data ? 'row_keys' then
        return (
            select count(*)
              from (select
                      from jsonb_array_elements(p_job.task_data -> 'row_keys') as k (row_key)
                      join evervec.processing_queue q
                        on q.source_id = p_job.source_id and q.task_type = 'embed' and q.row_key = k.row_key
                     limit p_most) l);
    end if;
    return (
        select count(*)
          from (select
                  from evervec.processing_queue q
                 where q.source_id = p_job.source_id and q.task_type = 'embed' and q.job_id > p_job.job_id
                   and q.job_id <= coalesce((p_job.metadata ->> 'last')::bigint, 9223372036854775807)
                 limit p_most) l);
end
$$;

comment on function evervec.task_left(evervec.processing_queue, bigint) is
$$Internal. The number of jobs that a task has started and that are not done; at most p_most.$$;

revoke execute on function evervec.task_left(evervec.processing_queue, bigint) from public;

-- file: functions/queue/task_step.sql
-- task_step: begins a task, or looks whether the work that it began is done.
--
-- Locks:  regenerate: those of reset, but waited for a tenth of a second only.
-- Raises: VE101 unknown source, and what the work itself raises · 55P03 the table is locked: later
create or replace function evervec.task_step(p_job evervec.processing_queue)
returns boolean
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source;
    v_keys   jsonb[];
begin
    if p_job.task_type = 'user_model_update' then
        perform evervec.update_user_embedding(p_job.task_data ->> 'user', p_job.task_data ->> 'source');
        return true;
    end if;

    v_source := evervec.source_named(p_job.task_data ->> 'source');
    if not p_job.metadata ? 'began' then
        if p_job.task_type = 'regenerate' and p_job.task_data -> 'fresh' = 'true' and evervec.cache_delete(v_source.name) > 0 then
            return false;
        elsif p_job.task_type = 'regenerate' then
            perform evervec.lock_relation(v_source.target, 'access exclusive', 1, '100 milliseconds');
            perform evervec.reset(v_source.name);
        elsif p_job.task_data ? 'row_keys' then
            v_keys := array(select k from jsonb_array_elements(p_job.task_data -> 'row_keys') k);
            perform evervec.queue_keys(v_source, v_keys, p_job.priority, jsonb_build_object(
                'operation', 'bulk', 'triggered_by', 'batch', 'triggered_at', now(), 'task', p_job.job_id));
        else
            perform evervec.start_pass(v_source.source_id, p_job.task_data ->> 'pass');
        end if;
        update evervec.processing_queue q
           set metadata = q.metadata || jsonb_build_object('began', now())
         where q.job_id = p_job.job_id;
        return false;
    end if;

    if v_source.pass_kind is not null and not p_job.task_data ? 'row_keys' then
        return false;
    elsif not p_job.task_data ? 'row_keys' and not p_job.metadata ? 'last' then
        p_job.metadata := p_job.metadata || jsonb_build_object('last', (select max(q.job_id) from evervec.processing_queue q));
        update evervec.processing_queue q set metadata = p_job.metadata where q.job_id = p_job.job_id;
    end if;
    return evervec.task_left(p_job, 1) = 0;
end
$$;

comment on function evervec.task_step(evervec.processing_queue) is
$$Internal. One step of a task; true when it is done. Raises VE101, 55P03, and whatever its work raises.$$;

revoke execute on function evervec.task_step(evervec.processing_queue) from public;

-- file: functions/queue/tick.sql
-- tick: the upkeep of the queue that needs no provider: folds, follows renames and new partitions, takes back expired leases.
--
-- Workers do the first two on every claim; a schedule calls this where workers may be away. What is past its time is forgotten by
-- cleanup_expired, less often.
-- Locks:  those of fold and reclaim.
create or replace function evervec.tick(
    out folded    bigint,
    out reclaimed bigint
)
language plpgsql security definer
set search_path from current
as $$
begin
    folded := evervec.fold(100000);
    perform evervec.follow_renames(evervec.active_sources());
    reclaimed := evervec.reclaim(10000);
end
$$;

comment on function evervec.tick() is
$$Upkeep of the queue in one short call: folds up to 100,000 changes, and takes back up to 10,000 expired leases. Call it again while it returns anything but zeros.$$;

revoke execute on function evervec.tick() from public;

-- file: functions/queue/tid_block.sql
-- tid_block: the block number of a physical row address.
--
-- Locks:  none.
create or replace function evervec.tid_block(p_tid tid)
returns bigint
language sql immutable
set search_path from current
as $$
    select split_part(trim('(' from p_tid::text), ',', 1)::bigint
$$;

comment on function evervec.tid_block(tid) is
$$Internal. Block number of a ctid.$$;

revoke execute on function evervec.tid_block(tid) from public;

-- file: functions/queue/try_write_vectors.sql
-- try_write_vectors: write_vectors, which no row of a user's transaction can stop.
--
-- SKIP LOCKED passes over a row that somebody holds, but PostgreSQL still waits where an open transaction has first updated the row
-- and then deleted it. Then the rows are tried one by one, and those that are held are locked.
-- Locks:  those of write_vectors.
-- Raises: VE109 wrong number of dimensions
create or replace function evervec.try_write_vectors(
    p_source     evervec.source,
    p_row_keys   jsonb[],
    p_hashes     bytea[],
    p_embeddings vector[],
    p_notes      text[] default null
)
returns text[]
language plpgsql
set search_path from current
set lock_timeout = '50ms'
as $$
declare
    v_outcomes text[];
begin
    begin
        return evervec.write_vectors(p_source, p_row_keys, p_hashes, p_embeddings, p_notes);
    exception when lock_not_available then
        null;
    end;
    for v_ordinal in 1 .. cardinality(p_row_keys) loop
        begin
            v_outcomes := v_outcomes || evervec.write_vectors(
                p_source, p_row_keys[v_ordinal : v_ordinal], p_hashes[v_ordinal : v_ordinal], p_embeddings[v_ordinal : v_ordinal],
                p_notes[v_ordinal : v_ordinal]);
        exception when lock_not_available then
            v_outcomes := v_outcomes || 'locked'::text;
            -- The whole table may be locked: do not wait for it once a row.
            perform set_config('lock_timeout', '1ms', true);
        end;
    end loop;
    return v_outcomes;
end
$$;

comment on function evervec.try_write_vectors(evervec.source, jsonb[], bytea[], vector[], text[]) is
$$Internal. Stores vectors of one source; returns completed, superseded, locked or gone a key, in order. Raises VE109.$$;

revoke execute on function evervec.try_write_vectors(evervec.source, jsonb[], bytea[], vector[], text[]) from public;

-- file: functions/queue/with_failure.sql
-- with_failure: a job's history with one failed attempt more; of a long history the beginning goes, except for its first entry.
--
-- A class that never gives up would else grow its history for ever.
-- Locks:  none.
create or replace function evervec.with_failure(p_failures jsonb, p_error_class text, p_message text, p_status_code integer)
returns jsonb
language sql volatile
set search_path from current
as $$
    select (case when jsonb_array_length(p_failures) >= 20 then p_failures - 1 else p_failures end)
           || jsonb_build_object('at', clock_timestamp(), 'class', p_error_class, 'status', p_status_code,
                                 'message', left(p_message, 1000))
$$;

comment on function evervec.with_failure(jsonb, text, text, integer) is
$$Internal. The failures of a job with one more; the first and the last 19 are kept.$$;

revoke execute on function evervec.with_failure(jsonb, text, text, integer) from public;

-- file: functions/queue/write_vectors.sql
-- write_vectors: stores vectors of one source where they are still true; vectors of rows that are gone are dropped.
--
-- Locks:  rows FOR KEY SHARE SKIP LOCKED.
-- Raises: VE109 wrong number of dimensions
create or replace function evervec.write_vectors(
    p_source     evervec.source,
    p_row_keys   jsonb[],
    p_hashes     bytea[],
    p_embeddings vector[],
    p_notes      text[] default null
)
returns text[]
language plpgsql
set search_path from current
as $$
declare
    v_dimensions integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
    v_wrong      integer;
    v_outcomes   text[];
begin
    select vector_dims(u.embedding) into v_wrong
      from unnest(p_embeddings) as u (embedding)
     where vector_dims(u.embedding) is distinct from v_dimensions
     limit 1;
    if found then
        raise exception using
            errcode = 'VE109',
            message = format('a vector for source "%s" has %s dimensions, not %s', p_source.name, coalesce(v_wrong::text, 'no'), v_dimensions),
            detail  = 'Nothing of this call was stored.',
            hint    = 'Embed with the model that claim_jobs names; report the jobs with evervec.fail_jobs(…, ''invalid_response'', …).';
    end if;

    execute format('select array_agg(w.outcome order by w.ordinal) from evervec.%I($1, $2, $3, $4, $5) w', 'write_' || p_source.name)
    into v_outcomes
    using p_row_keys, p_hashes, p_embeddings, p_source.model_id, p_notes;

    if 'gone' = any (v_outcomes) then
        perform evervec.erase_vectors(p_source, array(
            select u.row_key from unnest(p_row_keys, v_outcomes) as u (row_key, outcome) where u.outcome = 'gone'));
    end if;
    return v_outcomes;
end
$$;

comment on function evervec.write_vectors(evervec.source, jsonb[], bytea[], vector[], text[]) is
$$Internal. Stores vectors of one source; returns completed, superseded, locked or gone a key, in order. Raises VE109.$$;

revoke execute on function evervec.write_vectors(evervec.source, jsonb[], bytea[], vector[], text[]) from public;

-- file: functions/recommend/cache_forget.sql
-- cache_forget: removes what cache_put has kept about a user.
--
-- Not called cache_delete, which removes vectors of a source: two texts would mean the one or the other.
-- Locks:  the entries.
-- Raises: VE501 another user's · VE502 no user
-- needs: functions/people/check_user.sql
create or replace function evervec.cache_forget(p_user text, p_name text default null)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    -- Of a collation of the caller's, a text would not be looked up in an index.
    v_user    text collate "default" := p_user;
    v_name    text collate "default" := p_name;
    v_removed bigint;
begin
    perform evervec.check_user(p_user);
    delete from evervec.analysis_cache a where a.user_id = v_user and (v_name is null or a.name = v_name);
    get diagnostics v_removed = row_count;
    return v_removed;
end
$$;

comment on function evervec.cache_forget(text, text) is
$$Removes what cache_put has kept about a user under p_name, NULL (default): under any name; returns how many. Raises VE501, VE502.$$;

revoke execute on function evervec.cache_forget(text, text) from public;

-- file: functions/recommend/user_state.sql
-- user_state: hashes of what evervec knows a user to have done with a source, and of that with what the user has of it or dismissed.
--
-- Locks:  none beyond those of the signals' queries.
-- Raises: VE101 unknown source · VE501 another user's · VE502 no user
-- needs: functions/preference/user_inputs.sql
create or replace function evervec.user_state(p_user text, p_source text, out inputs bytea, out state bytea)
language plpgsql stable security definer
set search_path from current
as $$
begin
    inputs := evervec.user_inputs(p_user, p_source);
    state := sha256(inputs || numeric_send((
        select coalesce(sum(jsonb_hash_extended(m.row_key, case m.mark when 'has' then 1 else 2 end)), 0)
          from evervec.row_mark m
         where m.user_id = p_user and m.source_id = (select s.source_id from evervec.source s where s.name = p_source))));
end
$$;

comment on function evervec.user_state(text, text) is
$$Internal. inputs: a hash that changes with what a user does with a source, and with what the signals say (user_inputs); state: with what is marked too. Raises VE101, VE501, VE502.$$;

revoke execute on function evervec.user_state(text, text) from public;

-- file: functions/recommend/cache_get.sql
-- cache_get: what cache_put has kept about a user under a name, while it holds.
--
-- Locks:  none.
-- Raises: VE101 (its source is gone) · VE501 another user's · VE502 no user
-- needs: functions/people/check_user.sql
-- needs: functions/recommend/user_state.sql
create or replace function evervec.cache_get(p_user text, p_name text)
returns jsonb
language plpgsql stable security definer
set search_path from current
as $$
declare
    -- Of a collation of the caller's, a text would not be looked up in an index.
    v_user   text collate "default" := p_user;
    v_name   text collate "default" := p_name;
    v_kept   evervec.analysis_cache;
    v_source text collate "default";
begin
    perform evervec.check_user(p_user);
    select * into v_kept from evervec.analysis_cache a where a.user_id = v_user and a.name = v_name and a.expires_at > now();
    if v_kept.source_id is not null then
        select s.name into v_source from evervec.source s where s.source_id = v_kept.source_id;
        if (evervec.user_state(v_user, v_source)).state is distinct from v_kept.inputs_hash then
            return null;
        end if;
    end if;
    return v_kept.value;
end
$$;

comment on function evervec.cache_get(text, text) is
$$The value that cache_put has kept about a user under p_name; NULL: none, its time is over, or the user has done something else in its source since. Raises VE101, VE501, VE502.$$;

revoke execute on function evervec.cache_get(text, text) from public;

-- file: functions/recommend/cache_put.sql
-- cache_put: keeps what an application has found out about a user, for a time, under a name.
--
-- With a source it is only good until the user does something there: so the state that it was made from is kept with it.
-- Locks:  the entry.
-- Raises: VE101 unknown source · VE501 another user's · VE502 no user · VE515 no name, no value, or a bad confidence or time
-- needs: functions/people/check_user.sql
-- needs: functions/recommend/user_state.sql
create or replace function evervec.cache_put(
    p_user       text,
    p_name       text,
    p_value      jsonb,
    p_confidence real default 0.5,
    p_source     text default null,
    p_keep       interval default '24 hours'
)
returns void
language plpgsql security definer
set search_path from current
as $$
declare
    -- Of a collation of the caller's, a text would not be looked up in an index.
    v_user   text collate "default" := p_user;
    v_name   text collate "default" := p_name;
    v_source evervec.source;
begin
    perform evervec.check_user(p_user);
    if p_name is null or p_name !~ '\S' or octet_length(p_name) > 200 or p_value is null or octet_length(p_value::text) > 1000000
       or p_confidence between 0 and 1 is not true or p_keep > '0' is not true then
        raise exception using
            errcode = 'VE515',
            message = 'this cannot be kept',
            detail  = case when p_name is null or p_name !~ '\S' or octet_length(p_name) > 200 then 'p_name is a name of 1 to 200 bytes.'
                           when p_value is null then 'p_value is NULL, which cache_get returns where nothing is known.'
                           when octet_length(p_value::text) > 1000000 then 'p_value has more than 1,000,000 bytes.'
                           when p_confidence between 0 and 1 is not true then 'p_confidence is a number from 0 to 1.'
                           else 'p_keep is an interval of more than nothing.' end,
            hint    = 'For example: SELECT evervec.cache_put(''u1'', ''taste'', ''{"likes": "westerns"}'', 0.8);';
    end if;
    if p_source is not null then
        v_source := evervec.source_named(p_source);
    end if;
    insert into evervec.analysis_cache (user_id, name, source_id, value, confidence, inputs_hash, expires_at)
    values (v_user, v_name, v_source.source_id, p_value, p_confidence,
            case when p_source is not null then (evervec.user_state(v_user, v_source.name)).state end, now() + p_keep)
        on conflict (user_id, name) do update
       set source_id = excluded.source_id, value = excluded.value, confidence = excluded.confidence, inputs_hash = excluded.inputs_hash,
           created_at = now(), expires_at = excluded.expires_at;
end
$$;

comment on function evervec.cache_put(text, text, jsonb, real, text, interval) is
$$Keeps p_value, an analysis of a user that was dear to make, under p_name; in the place of what was there. p_confidence: from 0 to 1, how sure it is (default 0.5), for whoever reads evervec.analysis_cache. p_source: it was made from what the user did and has in that source, and is not used any more as soon as that changes. p_keep: how long it is good (default 24 hours). Raises VE101, VE501, VE502, VE515.$$;

revoke execute on function evervec.cache_put(text, text, jsonb, real, text, interval) from public;

-- file: functions/recommend/keep_recommendation.sql
-- keep_recommendation: keeps what was recommended to a user, for the next time.
--
-- Without a unique key, so that of two who bring the same neither waits for the other; one of theirs is found.
-- Locks:  what was kept before, SKIP LOCKED.
-- Raises: VE501 another user's · VE502 no user
-- needs: functions/control/setting_interval.sql
-- needs: functions/people/check_user.sql
create or replace function evervec.keep_recommendation(
    p_user         text,
    p_source_id    integer,
    p_context_hash bytea,
    p_seen         pg_snapshot,
    p_row_keys     jsonb[],
    p_scores       real[],
    p_similarities real[],
    p_because      jsonb[]
)
returns void
language plpgsql security definer
set search_path from current
as $$
begin
    perform evervec.check_user(p_user);
    if p_context_hash is null or cardinality(p_row_keys) > 1000
       or cardinality(p_row_keys) <> all (array[cardinality(p_scores), cardinality(p_similarities), cardinality(p_because)]) then
        return;
    end if;
    -- What has expired goes too, so that a user has but a few.
    delete from evervec.recommendation_cache d
     where d.ctid = any (array(
        select r.ctid
          from evervec.recommendation_cache r
         where r.user_id = p_user and (r.context_hash = p_context_hash or r.expires_at <= now())
           for update skip locked));
    insert into evervec.recommendation_cache (user_id, source_id, context_hash, seen, row_keys, scores, similarities, because, expires_at)
    values (p_user, p_source_id, p_context_hash, p_seen, p_row_keys, p_scores, p_similarities, p_because,
            now() + evervec.setting_interval('recommendation_keep', '1 hour'));
end
$$;

comment on function evervec.keep_recommendation(text, integer, bytea, pg_snapshot, jsonb[], real[], real[], jsonb[]) is
$$Internal. Keeps what recommend found; p_context_hash NULL: nothing is kept; p_seen: a snapshot taken before it. Raises VE501, VE502.$$;

revoke execute on function evervec.keep_recommendation(text, integer, bytea, pg_snapshot, jsonb[], real[], real[], jsonb[]) from public;

-- file: functions/recommend/liked_nearby.sql
-- liked_nearby: the rows that the users like whose preferences are nearest to a user's; never who they are.
--
-- A neighbour's voice is how near he is; a row's score is the share of voices that it has. From sources where row-level security hides rows
-- only those are told that the caller names, who so learns of none that he does not see.
-- Locks:  none.
-- Raises: VE101 unknown source · VE501 another user's · VE502 no user
-- needs: functions/people/check_user.sql
create or replace function evervec.liked_nearby(
    p_user       text,
    p_source     text,
    p_preference text,
    p_excluded   jsonb[],
    p_limit      integer,
    p_among      jsonb[] default null
)
returns table (row_key jsonb, score double precision)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source;
begin
    perform evervec.check_user(p_user);
    v_source := evervec.source_named(p_source);
    if p_among is null and v_source.source_id <> all (evervec.open_sources()) then
        return;
    end if;
    return query
    with own as materialized (
        select p.embedding
          from evervec.user_preference p
         where p.source_id = v_source.source_id and p.preference_type = p_preference and p.user_id = p_user and p.model_id = v_source.model_id
           and p.embedding is not null
    ), near as materialized (
        select p.user_id, min(p.embedding <=> o.embedding) as distance
          from evervec.user_preference p
          join own o on vector_dims(o.embedding) = vector_dims(p.embedding)
         where p.source_id = v_source.source_id and p.preference_type = p_preference and p.user_id <> p_user
           and p.model_id = v_source.model_id and p.embedding is not null
         group by p.user_id
         order by 2, 1
         limit 50
    ), voice as (
        select n.user_id, greatest(1 - n.distance, 0) as weight
          from near n
         where n.distance <> 'NaN'
    )
    select l.row_key, sum(v.weight) / (select nullif(sum(a.weight), 0) from voice a)
      from voice v
     cross join lateral (
        select distinct k.row_key
          from evervec.user_preference p
         cross join unnest(p.liked) as k (row_key)
         where p.source_id = v_source.source_id and p.preference_type = p_preference and p.user_id = v.user_id) l
     where l.row_key not in (select x.row_key from unnest(p_excluded) as x (row_key))
       and (p_among is null or l.row_key in (select x.row_key from unnest(p_among) as x (row_key)))
     group by l.row_key
    having sum(v.weight) > 0
     order by 2 desc, 1
     limit p_limit;
end
$$;

comment on function evervec.liked_nearby(text, text, text, jsonb[], integer, jsonb[]) is
$$Internal. Rows that the 50 users with the most similar preferences like, with the share of their voices, without p_excluded; p_among: only of these, which must be given where row-level security hides rows of the source. Raises VE101, VE501, VE502.$$;

revoke execute on function evervec.liked_nearby(text, text, text, jsonb[], integer, jsonb[]) from public;

-- file: functions/recommend/open_sources.sql
-- open_sources: the sources from which row-level security hides no row.
--
-- Locks:  none.
create or replace function evervec.open_sources()
returns integer[]
language sql stable security definer
set search_path from current
as $$
    select array(
        select s.source_id
          from evervec.source s
         where not exists (select from pg_class c where c.oid in (s.relation, s.target) and c.relrowsecurity))
$$;

comment on function evervec.open_sources() is
$$Internal. Numbers of the sources whose tables have no row-level security.$$;

revoke execute on function evervec.open_sources() from public;

-- file: functions/track/key_match.sql
-- key_match: the condition that two sides have the same key, compared as the primary key compares.
--
-- The left side is an alias; the right side an alias too, or NULL for the row_key in k.row_key.
-- Locks:  none.
create or replace function evervec.key_match(
    p_source       evervec.source,
    p_left         text,
    p_left_target  boolean,
    p_right        text default null,
    p_right_target boolean default false
)
returns text
language sql immutable
set search_path from current
as $$
    select string_agg(
               format('%s.%I %s %s',
                      p_left,
                      case when p_left_target then c.target else c.name end,
                      c.operator,
                      case when p_right is null then format('(k.row_key->>%L)::%s', c.name, c.type)
                           else format('%s.%I', p_right, case when p_right_target then c.target else c.name end) end),
               ' and ' order by c.ordinality)
      from unnest(p_source.key_columns, p_source.target_key_columns, p_source.key_types, p_source.key_operators)
           with ordinality as c (name, target, type, operator, ordinality)
$$;

comment on function evervec.key_match(evervec.source, text, boolean, text, boolean) is
$$Internal. SQL condition: the key of the left alias equals that of the right alias, or of k.row_key when p_right is NULL.$$;

revoke execute on function evervec.key_match(evervec.source, text, boolean, text, boolean) from public;

-- file: functions/recommend/presence_query.sql
-- presence_query: the query that counts which rows of a source have a vector and are seen by whoever runs it.
--
-- Locks:  none.
-- needs: functions/core/qualified_name.sql
-- needs: functions/track/key_match.sql
create or replace function evervec.presence_query(p_source_id integer)
returns text
language sql stable security definer
set search_path from current
as $$
    select format('select count(*) from unnest($1) as k (row_key) join %s e on %s where e.%I is not null',
                  evervec.qualified_name(s.target), evervec.key_match(s, 'e', true), s.vector_column)
      from evervec.source s
     where s.source_id = p_source_id
$$;

comment on function evervec.presence_query(integer) is
$$Internal. The text of the query over ($1 row_keys) that counts those that are there for the caller.$$;

revoke execute on function evervec.presence_query(integer) from public;

-- file: functions/recommend/refresh_preference.sql
-- refresh_preference: learns what a user has done since their preference was made, so that what they just liked counts in what they get next.
--
-- Not where nothing can be written, nor where to write could make a transaction fail that only asks (REPEATABLE READ, SERIALIZABLE). Whoever
-- learns the same now is not waited for: the former preference is good enough once.
-- Locks:  the user's rows of evervec.user_preference, waited for a tenth of a second.
-- needs: functions/preference/update_user_embedding.sql
create or replace function evervec.refresh_preference(p_user text, p_source evervec.source, p_preference text)
returns boolean
language plpgsql
set search_path from current
set lock_timeout = '100ms'
as $$
begin
    if current_setting('transaction_read_only')::boolean
       or current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        return false;
    end if;
    perform evervec.update_user_embedding(p_user, p_source.name, p_preference);
    return true;
exception when lock_not_available or deadlock_detected then
    return false;
end
$$;

comment on function evervec.refresh_preference(text, evervec.source, text) is
$$Internal. Brings a user's preference up to date where that can be done without failing or waiting; false where not.$$;

revoke execute on function evervec.refresh_preference(text, evervec.source, text) from public;

-- file: functions/recommend/recommendation_plan.sql
-- recommendation_plan: all that recommend needs and its caller may not read: what was recommended before, where that still holds, or else
-- the user's preference, what the user has, and the queries that are to be run as the caller.
--
-- Locks:  those of refresh_preference.
-- Raises: VE101 unknown source · VE111, VE208 the filter · VE204 bad limit or diversity · VE501, VE502 the user · VE509 unknown preference ·
--         VE513 unknown type · VE514 bad weight of popularity
-- needs: functions/cache/caller_context.sql
-- needs: functions/people/check_user.sql
-- needs: functions/preference/check_preference.sql
-- needs: functions/recommend/presence_query.sql
-- needs: functions/recommend/refresh_preference.sql
-- needs: functions/recommend/user_state.sql
create or replace function evervec.recommendation_plan(
    p_user           text,
    p_source         text,
    p_limit          integer,
    p_type           text,
    p_preference     text,
    p_filter         text,
    p_arguments      jsonb,
    p_diversity      real,
    p_popularity     real,
    p_caller         regrole,
    p_kept           boolean,
    out type         text,
    out context_hash bytea,
    out row_keys     jsonb[],
    out scores       real[],
    out similarities real[],
    out because      jsonb[],
    out confidence   real,
    out source_id    integer,
    out open         boolean,
    out distance     text,
    out embeddings   vector[],
    out shares       real[],
    out liked        jsonb[],
    out taken        jsonb[],
    out diversity    real,
    out popularity   real,
    out presence     text,
    out nearest      text,
    out popular      text,
    out visible      text,
    out vectors      text
)
language plpgsql volatile security definer
set search_path from current
as $$
declare
    c_types   constant text[] := array['personalized', 'trending', 'similar_users', 'adventurous'];
    v_source  evervec.source;
    v_filter  text := p_filter;
    v_context jsonb;
    v_state   record;
    v_known   record;
    v_updated timestamptz;
    v_fresh   boolean;
    v_match   text;
begin
    perform evervec.check_user(p_user);
    v_source := evervec.source_named(p_source);
    source_id := v_source.source_id;
    distance := v_source.distance;
    type := coalesce(p_type, 'personalized');
    diversity := coalesce(p_diversity, case when type = 'adventurous' then 0.5 end);
    popularity := coalesce(p_popularity, evervec.setting_number('recommendation_popularity', 0)::real);
    if type <> all (c_types) then
        if p_filter is not null
           or not exists (select from evervec.filter f where f.source_id = v_source.source_id and f.name = type) then
            raise exception using
                errcode = 'VE513',
                message = format('there are no recommendations of type "%s" for source "%s"', type, p_source),
                detail  = case when p_filter is not null then 'With p_filter, a type is one of evervec''s: ' else 'Types: ' end
                          || array_to_string(c_types || case when p_filter is null then array(
                                 select f.name from evervec.filter f where f.source_id = v_source.source_id order by f.name) end, ', ') || '.',
                hint    = 'A filter of the source (add_filter) is a type too: what a user likes among its rows.';
        end if;
        v_filter := type;
    end if;
    if p_limit is null or p_limit not between 0 and 1000 then
        raise exception using
            errcode = 'VE204', message = format('a limit of %s makes no sense', coalesce(p_limit::text, 'NULL')),
            detail  = 'p_limit is the number of rows that are recommended at most.',
            hint    = 'Give a limit from 0 to 1000.';
    elsif diversity between 0 and 1 is false then
        raise exception using
            errcode = 'VE204', message = format('a diversity of %s makes no sense', diversity),
            detail  = 'p_diversity is the weight of being unlike the rows before, from 0 to 1.',
            hint    = 'Give a number from 0 to 1, or NULL.';
    elsif popularity between 0 and 1000 is not true then
        raise exception using
            errcode = 'VE514', message = format('popularity cannot count %s', popularity),
            detail  = 'p_popularity is what the most popular row gains beside its similarity, from 0 to 1000.',
            hint    = 'Give a number of 0 or more, or NULL for the setting recommendation_popularity.';
    end if;
    perform evervec.check_preference(v_source, p_preference);

    -- What others do changes all the time: what is made from their preferences is not kept.
    if type <> 'similar_users' and evervec.setting_interval('recommendation_keep', '1 hour') > '0' then
        v_context := evervec.caller_context(v_source, pg_get_userbyid(p_caller));
    end if;
    v_state := evervec.user_state(p_user, p_source);
    for v_attempt in 1 .. 2 loop
        v_updated := null;
        v_fresh := false;
        embeddings := '{}';
        shares := '{}';
        liked := '{}';
        for v_known in
            select p.embedding, p.share, p.liked, p.confidence, p.inputs_hash, p.updated_at
              from evervec.user_preference p
             where p.source_id = v_source.source_id and p.preference_type = p_preference and p.user_id = p_user and p.model_id = v_source.model_id
             order by p.taste
        loop
            v_updated := greatest(v_updated, v_known.updated_at);
            v_fresh := v_known.inputs_hash is not distinct from v_state.inputs;
            if v_known.embedding is not null then
                embeddings := embeddings || v_known.embedding;
                shares := shares || v_known.share;
                -- To name the nearest of a few is as good, and each vector costs a look-up.
                liked := liked || v_known.liked[: 20];
                confidence := greatest(confidence, v_known.confidence);
            end if;
        end loop;
        exit when v_fresh or v_attempt = 2 or not evervec.refresh_preference(p_user, v_source, p_preference);
    end loop;
    if embeddings = '{}' then
        type := 'trending';
    end if;
    if type = 'trending' then
        confidence := 0.5;
    end if;

    if v_context is not null then
        context_hash := sha256(convert_to(jsonb_build_array(
            v_context, p_limit, p_type, p_preference, v_filter, p_arguments, diversity, popularity, v_state.state, v_updated,
            case when type = 'trending' or popularity > 0 then (select t.counted_at from evervec.trend_state t where t.source_id = v_source.source_id) end
            )::text, 'UTF8'));
        select r.row_keys, r.scores, r.similarities, r.because into row_keys, scores, similarities, because
          from evervec.recommendation_cache r
         where p_kept and r.user_id = p_user and r.context_hash = recommendation_plan.context_hash and r.expires_at > now()
           and not exists (
               select from evervec.source_change c
                where c.source_id = r.source_id
                  and c.xid >= pg_snapshot_xmin(r.seen)
                  and (not pg_visible_in_snapshot(c.xid, r.seen) or c.xid = r.kept_by))
         limit 1;
    end if;
    if row_keys is not null then
        presence := evervec.presence_query(source_id);
        return;
    end if;

    taken := array(
        select m.row_key from evervec.row_mark m where m.user_id = p_user and m.source_id = v_source.source_id
        union
        select s.row_key from evervec.user_signals(v_source, p_user) s);

    v_match := format('join %s e on %s', evervec.qualified_name(v_source.target), evervec.key_match(v_source, 'e', true));
    vectors := format('select array_agg(e.%I::vector order by k.ordinality) from unnest($1) with ordinality as k (row_key, ordinality) left %s',
                      v_source.vector_column, v_match);
    if v_filter is null then
        nearest := format('select f.row_key from evervec.%I($2, $3, null, $5) f', 'similar_' || p_source);
    else
        nearest := format('select f.row_key from (%s) as f (row_key, similarity, distance)', evervec.among_query(p_source, v_filter, p_arguments));
        v_match := v_match || format(
            ' join evervec.%I(%s) f on %s', format('filter_%s_%s', p_source, v_filter), evervec.filter_arguments(p_source, v_filter, p_arguments),
            (select string_agg(format('f.key_%s %s e.%I', k.ordinality, k.operator, k.name), ' and ' order by k.ordinality)
               from unnest(v_source.target_key_columns, v_source.key_operators) with ordinality as k (name, operator, ordinality)));
    end if;
    open := type <> 'similar_users' or source_id = any (evervec.open_sources());
    popular := format(
        'select coalesce(array_agg(p.row_key order by p.score desc, p.row_key), ''{}'') from (select k.row_key, k.score from evervec.trend k %s '
        'where k.source_id = %s and e.%I is not null and k.row_key not in (select x.row_key from unnest($2) as x (row_key)) '
        'order by k.score desc, k.row_key limit $3) p',
        v_match, v_source.source_id, v_source.vector_column);
    visible := format(
        'select coalesce(array_agg(p.row_key), ''{}''), array_agg(p.score) from (select k.row_key, k.score '
        'from unnest($2, $3) as k (row_key, score) %s where e.%I is not null order by k.score desc, k.row_key limit $4) p',
        v_match, v_source.vector_column);
end
$$;

comment on function evervec.recommendation_plan(text, text, integer, text, text, text, jsonb, real, real, regrole, boolean) is
$$Internal. What recommend works by. type: of what is recommended; context_hash: what it is kept under, NULL: not at all; row_keys, scores, similarities, because: what was recommended before, where it still holds (p_kept: look for it) for a caller who sees all of it (presence); embeddings, shares, liked, confidence: the user's preference; open: rows that others like may be told; taken: what is not recommended; nearest, popular, visible, vectors: texts of queries. Raises VE101, VE111, VE204, VE208, VE501, VE502, VE509, VE513, VE514.$$;

revoke execute on function evervec.recommendation_plan(text, text, integer, text, text, text, jsonb, real, real, regrole, boolean) from public;

-- file: functions/recommend/recommend.sql
-- recommend: rows of a source for a user, who neither has nor dismissed them.
--
-- Runs as the caller, so that privileges and policies on the rows hold, of what was recommended before too; what only evervec may read comes
-- from recommendation_plan. First a pool of rows is found, by the type; then it is compared with the user's tastes and ordered, and cut.
--
-- Locks:  ACCESS SHARE on the embedding table; those of refresh_preference.
-- Raises: VE101 unknown source · VE111, VE208 the filter · VE204 bad limit or diversity · VE501, VE502 the user · VE509 unknown preference ·
--         VE513 unknown type · VE514 bad weight of popularity · VE211 (a WARNING) rows may be missing
-- needs: functions/recommend/keep_recommendation.sql
-- needs: functions/recommend/liked_nearby.sql
-- needs: functions/recommend/recommendation_plan.sql
create or replace function evervec.recommend(
    p_user       text,
    p_source     text,
    p_limit      integer default 10,
    p_type       text default 'personalized',
    p_preference text default 'default',
    p_filter     text default null,
    p_arguments  jsonb default '{}',
    p_diversity  real default null,
    p_popularity real default null
)
returns table (row_key jsonb, score real, similarity real, type text, because jsonb, confidence real)
language plpgsql volatile
set search_path from current
as $$
declare
    -- Of a collation of the caller's, a text would not be looked up in an index.
    v_user       text collate "default" := p_user;
    v_source     text collate "default" := p_source;
    v_type       text collate "default" := p_type;
    v_preference text collate "default" := p_preference;
    v_filter     text collate "default" := p_filter;
    v_plan       record;
    v_count      bigint;
    v_seen       pg_snapshot;
    v_pool       integer;
    v_skipped    integer;
    v_keys       jsonb[] := array[]::jsonb[];
    v_scores     real[];
    v_similarity real[];
    v_popularity real[];
    v_because    jsonb[];
    v_vectors    vector[];
    v_liked      vector[];
    v_more       jsonb[];
    v_place      integer[];
begin
    select * into v_plan
      from evervec.recommendation_plan(v_user, v_source, p_limit, v_type, v_preference, v_filter, p_arguments, p_diversity, p_popularity,
                                       current_user::regrole, true);
    if v_plan.row_keys is not null then
        execute v_plan.presence into v_count using v_plan.row_keys;
        if v_count = cardinality(v_plan.row_keys) then
            return query
            select k.row_key, k.score, k.similarity, v_plan.type, k.because, v_plan.confidence
              from unnest(v_plan.row_keys, v_plan.scores, v_plan.similarities, v_plan.because) as k (row_key, score, similarity, because);
            return;
        end if;
        select * into v_plan
          from evervec.recommendation_plan(v_user, v_source, p_limit, v_type, v_preference, v_filter, p_arguments, p_diversity, p_popularity,
                                           current_user::regrole, false);
    end if;
    v_seen := pg_current_snapshot();

    -- Where there is a choice to make, the pool is four times what is wanted, but no more than 1,000 beyond it.
    v_pool := case when v_plan.diversity is null and v_plan.popularity = 0 then p_limit else least(4 * p_limit, p_limit + 1000) end;
    if v_plan.type = 'similar_users' then
        if not v_plan.open then
            execute format('select array_agg(n.row_key) from (%s) n', v_plan.nearest)
               into v_more using p_arguments, v_plan.embeddings[1], 500, null::real, v_plan.taken, null::real;
        end if;
        select array_agg(l.row_key order by l.ordinality), array_agg(l.score::real order by l.ordinality)
          into v_keys, v_scores
          from evervec.liked_nearby(v_user, v_source, v_preference, v_plan.taken, 10 * v_pool, v_more) with ordinality as l;
        execute v_plan.visible into v_keys, v_scores using p_arguments, v_keys, v_scores, v_pool;
    else
        if v_plan.type = 'trending' or v_plan.popularity > 0 then
            execute v_plan.popular into v_keys using p_arguments, v_plan.taken, v_pool;
        end if;
        if v_plan.type <> 'trending' then
            for v_taste in 1 .. cardinality(v_plan.embeddings) loop
                execute format('select array_agg(n.row_key) from (%s) n where n.row_key <> all ($7)', v_plan.nearest)
                   into v_more
                  using p_arguments, v_plan.embeddings[v_taste], v_pool + case v_plan.type when 'adventurous' then p_limit else 0 end, null::real,
                        v_plan.taken, null::real, v_keys;
                v_keys := v_keys || v_more;
            end loop;
        end if;
        if v_plan.type = 'trending' or v_plan.popularity > 0 then
            v_popularity := array(
                select coalesce(ln(1 + t.score) / ln(1 + (select max(m.score) from evervec.trend m where m.source_id = v_plan.source_id)), 0)
                  from unnest(v_keys) with ordinality as k (row_key, ordinality)
                  left join evervec.trend t on t.source_id = v_plan.source_id and t.row_key = k.row_key
                 order by k.ordinality);
        end if;
    end if;

    -- Each row belongs to the taste that it is nearest to. Tastes take turns as often as they are a part of the user's; first each has one.
    execute v_plan.vectors into v_vectors using v_keys || v_plan.liked;
    v_liked := v_vectors[cardinality(v_keys) + 1 :];
    select coalesce(array_agg(o.row_key order by o.place), '{}'), array_agg(o.score order by o.place), array_agg(o.similarity order by o.place),
           array_agg(o.embedding order by o.place)
      into v_keys, v_scores, v_similarity, v_vectors
      from (
        select r.*, row_number() over (order by r.rank > 1, case when r.rank > 1 then (r.rank - 0.5) / r.share else -r.share end, r.row_key) as place
          from (
            select c.*, row_number() over (partition by c.taste order by c.score desc, c.row_key) as rank
              from (
                select k.row_key, k.embedding, n.similarity::real as similarity,
                       case when v_plan.type in ('trending', 'similar_users') then 1 else n.taste end as taste,
                       case when v_plan.type in ('trending', 'similar_users') then 1 else n.share end as share,
                       case v_plan.type when 'trending' then k.popularity
                                        when 'similar_users' then k.score
                                        else n.similarity + v_plan.popularity * coalesce(k.popularity, 0) end::real as score
                  from unnest(v_keys, v_vectors[: cardinality(v_keys)], v_scores, v_popularity) as k (row_key, embedding, score, popularity)
                  left join lateral (
                    select t.taste, t.share,
                           case v_plan.distance when 'cosine' then 1 - (t.embedding <=> k.embedding)
                                                when 'inner_product' then -(t.embedding <#> k.embedding)
                                                when 'l2' then 1 / (1 + (t.embedding <-> k.embedding))
                                                when 'l1' then 1 / (1 + (t.embedding <+> k.embedding)) end as similarity
                      from unnest(v_plan.embeddings, v_plan.shares) with ordinality as t (embedding, share, taste)
                     order by 3 desc, 1
                     limit 1) n on true
                 where k.embedding is not null) c) r) o;
    -- Adventure begins behind what would be recommended otherwise.
    v_skipped := case v_plan.type when 'adventurous' then greatest(least(p_limit, cardinality(v_keys) - p_limit), 0) else 0 end;
    v_place := case when v_plan.diversity is null then array(select g from generate_series(1, least(p_limit, cardinality(v_keys))) g)
                    else array(select v_skipped + d
                                 from unnest(evervec.diversify(v_vectors[v_skipped + 1 :], v_scores[v_skipped + 1 :], v_plan.distance, p_limit,
                                                               v_plan.diversity)) d) end;
    select coalesce(array_agg(k.row_key order by p.ordinality), '{}'), coalesce(array_agg(k.score order by p.ordinality), '{}'),
           coalesce(array_agg(k.similarity order by p.ordinality), '{}'), coalesce(array_agg(b.row_key order by p.ordinality), '{}')
      into v_keys, v_scores, v_similarity, v_because
      from unnest(v_place) with ordinality as p (place, ordinality)
      join unnest(v_keys, v_scores, v_similarity, v_vectors) with ordinality as k (row_key, score, similarity, embedding, place) using (place)
      left join lateral (
        select l.row_key
          from unnest(v_plan.liked, v_liked) as l (row_key, embedding)
         where l.embedding is not null and l.row_key <> k.row_key
         order by case v_plan.distance when 'cosine' then l.embedding <=> k.embedding
                                       when 'inner_product' then l.embedding <#> k.embedding
                                       when 'l2' then l.embedding <-> k.embedding
                                       when 'l1' then l.embedding <+> k.embedding end, l.row_key
         limit 1) b on true;
    perform evervec.keep_recommendation(v_user, v_plan.source_id, v_plan.context_hash, v_seen, v_keys, v_scores, v_similarity, v_because);
    return query
    select k.row_key, k.score, k.similarity, v_plan.type, k.because, v_plan.confidence
      from unnest(v_keys, v_scores, v_similarity, v_because) as k (row_key, score, similarity, because);
end
$$;

comment on function evervec.recommend(text, text, integer, text, text, text, jsonb, real, real) is
$$Rows of a source for a user, best first, without those that the user has (signals, interactions of a type that marks) or dismissed. p_limit: default 10, at most 1,000. p_type: personalized (default), near what the user likes; trending, what people do much with lately; similar_users, what those like whose preferences are nearest; adventurous, unlike each other and beyond what personalized gives; or the name of a filter of the source: what the user likes among its rows. p_preference: a kind of preference (add_preference). p_filter, p_arguments: only rows that a filter leaves, as find_similar_among. p_diversity: from 0 to 1, how much rows should be unlike each other (default: not at all; adventurous: 0.5). p_popularity: what the most popular row gains beside its similarity (default: setting recommendation_popularity). score: what rows are ordered by (of several tastes, each in its turn); similarity: to what the user likes, NULL where nothing is known of it; type: how the row was found: trending where nothing is known of the user; because: of the twenty rows that the user likes most (of each taste), the one that is nearest to it, if any; confidence: from 0 to 1, how much is known of the user. What was recommended is kept for an hour (setting recommendation_keep) while nothing has changed that it was made from; not under row-level security, for similar_users, in transactions that are read-only, REPEATABLE READ or SERIALIZABLE. Runs with the caller's privileges. Raises VE101, VE111, VE204, VE208, VE501, VE502, VE509, VE513, VE514; warns with VE211.$$;

revoke execute on function evervec.recommend(text, text, integer, text, text, text, jsonb, real, real) from public;

-- file: functions/recommend/sees_row.sql
-- sees_row: whether the caller sees a row of a source; for the policy on evervec.trend.
--
-- Runs as whoever reads the table, whose policies on the vectors hold.
-- Locks:  ACCESS SHARE on the embedding table.
-- needs: functions/recommend/presence_query.sql
create or replace function evervec.sees_row(p_source_id integer, p_row_key jsonb)
returns boolean
language plpgsql stable
set search_path from current
as $$
declare
    v_count bigint;
begin
    execute evervec.presence_query(p_source_id) into v_count using array[p_row_key];
    return v_count > 0;
end
$$;

comment on function evervec.sees_row(integer, jsonb) is
$$Internal. Whether the caller sees a row's vector.$$;

revoke execute on function evervec.sees_row(integer, jsonb) from public;

-- file: functions/recommend/update_trends.sql
-- update_trends: counts anew what people did with rows lately, for sources where they did something since the last time.
--
-- One person counts once for a row: by what they did most for it, less what they did most against it. So nobody makes a trend alone.
-- Ages are those at the beginning of the hour, so that within one only rows change that somebody did something with; their order stays right
-- between counts, because all halve alike.
-- Locks:  the trends that change. Of two that count at once, one leaves it to the other.
-- needs: functions/control/setting_interval.sql
-- needs: functions/core/lock_key.sql
create or replace function evervec.update_trends()
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_since     timestamptz := now() - evervec.setting_interval('trend_period', '30 days');
    v_half_life double precision := greatest(extract(epoch from evervec.setting_interval('trend_half_life', '7 days')), 1);
    v_types     jsonb := (select jsonb_object_agg(t.name, t.weight) from evervec.interaction_type t);
    v_source    record;
    v_rows      bigint;
    v_changed   bigint := 0;
begin
    if not pg_try_advisory_xact_lock(evervec.lock_key('trends')) then
        return 0;
    end if;
    for v_source in
        with recent as (
            select i.source_id, bit_xor(jsonb_hash_extended(i.row_key, i.interaction_id)) as interactions
              from evervec.interaction i
             where i.occurred_at > v_since and i.row_key is not null
             group by i.source_id
        )
        select s.source_id, h.counted
          from evervec.source s
          left join recent r on r.source_id = s.source_id
          left join evervec.trend_state t on t.source_id = s.source_id
         cross join lateral (
            select sha256(convert_to(jsonb_build_array(r.interactions, v_types, v_half_life)::text, 'UTF8')) as counted) h
         where h.counted is distinct from t.counted and (r.interactions is not null or t.counted is not null)
    loop
        with person as (
            select i.row_key,
                   greatest(max(c.weight), 0) + least(min(c.weight), 0) as weight
              from evervec.interaction i
              join evervec.interaction_type t on t.name = i.type
             cross join lateral (
                select t.weight * 0.5 ^ (greatest(extract(epoch from date_trunc('hour', now()) - i.occurred_at)::double precision, 0) / v_half_life)
                       as weight) c
             where i.source_id = v_source.source_id and i.occurred_at > v_since and i.row_key is not null
             group by i.row_key, i.user_id
        ), counted as materialized (
            -- Rounded, because a sum of the same numbers in another order is not always the same.
            select p.row_key, round(sum(p.weight)::numeric, 6)::double precision as score
              from person p
             group by p.row_key
            having sum(p.weight) >= 0.000001
        ), gone as (
            delete from evervec.trend t
             where t.source_id = v_source.source_id and not exists (select from counted c where c.row_key = t.row_key)
            returning 1
        ), stored as (
            insert into evervec.trend as t (source_id, row_key, score)
            select v_source.source_id, c.row_key, c.score
              from counted c
                on conflict (source_id, row_key) do update
               set score = excluded.score, updated_at = now()
             where t.score <> excluded.score
            returning 1
        )
        select (select count(*) from gone) + (select count(*) from stored) into v_rows;
        v_changed := v_changed + v_rows;
        insert into evervec.trend_state (source_id, counted)
        values (v_source.source_id, v_source.counted)
            on conflict (source_id) do update set counted = excluded.counted, counted_at = clock_timestamp();
    end loop;
    return v_changed;
end
$$;

comment on function evervec.update_trends() is
$$Counts what people did with rows in the last 30 days (setting trend_period) for the type trending of recommend, in sources where that has changed, and returns how many rows have another count now. One person counts once for a row, by the weight of what they did most for it, less that of what they did most against it (evervec.interaction_type), halved for every 7 days (trend_half_life) that it is ago. Maintenance calls it every 5 minutes.$$;

revoke execute on function evervec.update_trends() from public;

-- file: functions/schedule/forget_rows.sql
-- forget_rows: removes rows of one of evervec's tables for which a condition holds, p_limit of them at most.
--
-- Rows that somebody holds stay for the next time: to clean up waits for nobody.
-- Locks:  what is forgotten, SKIP LOCKED.
create or replace function evervec.forget_rows(p_table text, p_condition text, p_limit integer)
returns bigint
language plpgsql
set search_path from current
as $$
declare
    v_removed bigint;
begin
    execute format('delete from evervec.%1$I d where d.ctid = any (array(select o.ctid from evervec.%1$I o where %2$s limit $1 for update skip locked))',
                   p_table, p_condition)
      using p_limit;
    get diagnostics v_removed = row_count;
    return v_removed;
end
$$;

comment on function evervec.forget_rows(text, text, integer) is
$$Internal. Removes up to p_limit rows o of evervec's table p_table of which p_condition, an SQL condition of evervec's own, is true; returns how many.$$;

revoke execute on function evervec.forget_rows(text, text, integer) from public;

-- file: functions/schedule/cleanup_expired.sql
-- cleanup_expired: forgets what is past its time, a slice of it; what has more to it than a condition has a function of its own.
--
-- One number for all kinds together bounds the transaction, and so how long anybody could wait for a row that it removes. In no order, so that
-- no kind, however much of it there is, keeps the others from their turn; but interactions last, whose lock on the whole table is held to the end.
-- The time before which rows are forgotten is a subquery, which is run once and not for each row.
-- Locks:  what is forgotten, SKIP LOCKED.
-- Raises: VE601 bad limit
-- needs: functions/schedule/forget_rows.sql
create or replace function evervec.cleanup_expired(p_limit integer default 5000)
returns table (kind text, removed bigint)
language plpgsql volatile security definer
set search_path from current
as $$
declare
    v_forget text;
    v_left   bigint := p_limit;
begin
    perform evervec.check_slice(p_limit);
    for kind, v_forget in
        select k.kind, coalesce(k.call, format('forget_rows(%L, %L, $1)', k.kind, k.condition))
          from (values
            ('access',               'forget_roles()', null),
            ('analysis_cache',       null, 'o.expires_at <= now()'),
            ('api_token',            null, $sql$least(o.revoked_at, o.expires_at) < (select now() - evervec.setting_interval('token_keep', '90 days'))$sql$),
            ('batch_log',            null, $sql$o.finished_at < (select now() - evervec.setting_interval('batch_log_keep', '400 days'))$sql$),
            ('dead_letter',          'forget_letters($1)', null),
            ('embedding_cache',      null, $sql$o.used_at < (select now() - evervec.setting_interval('cache_keep', '30 days'))$sql$),
            ('interaction',          'drop_partitions()', null),
            ('interaction_key',      null, $sql$o.created_at < (select now() - evervec.setting_interval('interaction_key_keep', '30 days'))$sql$),
            ('job_receipt',          null, $sql$o.finished_at < now() - interval '24 hours'$sql$),
            -- begin_call forgets those of the model that it is asked about; these are of models that nobody uses any more.
            ('model_call',           null, $sql$coalesce(o.finished_at, o.expires_at) < now() - interval '1 hour'$sql$),
            ('query_cache',          'forget_queries($1)', null),
            ('recommendation_cache', null, 'o.expires_at <= now()'),
            -- A ring may be dated up to 5 minutes ahead, and is good until 5 minutes after its date.
            ('ring_nonce',           null, $sql$o.seen_at < now() - interval '10 minutes'$sql$),
            ('search_cache',         'forget_results($1)', null),
            ('secret',               'forget_secrets()', null),
            ('spending',             null,
             $sql$o.day < (select ((now() - evervec.setting_interval('batch_log_keep', '400 days')) at time zone 'UTC')::date)$sql$)
          ) as k (kind, call, condition)
         order by k.kind = 'interaction', random()
    loop
        removed := 0;
        if v_left > 0 then
            execute format('select evervec.%s', v_forget) into removed using v_left::integer;
            v_left := v_left - removed;
        end if;
        return next;
    end loop;
end
$$;

comment on function evervec.cleanup_expired(integer) is
$$Forgets what is past its time, up to p_limit rows in all (default 5,000), and returns how many of each kind, by the name of its table; call it again until all are 0. job_receipt: of jobs older than 24 hours; batch_log, spending: batches, and days of the view cost, older than 400 days (batch_log_keep); model_call: older than an hour; dead_letter: resolved for 7 days, older than 90 days, and the oldest beyond 100,000 (dead_letter_keep_resolved, dead_letter_keep, dead_letter_most); embedding_cache: vectors of texts not used for 30 days (cache_keep); query_cache: vectors of queries older than 24 hours, and the oldest beyond 10,000 (query_cache_keep, query_cache_most); search_cache: results of searches likewise (search_cache_keep, search_cache_most); recommendation_cache, analysis_cache: past the time that they were kept for; interaction: partitions older than a year (interaction_keep); interaction_key: older than 30 days (interaction_key_keep); ring_nonce: older than 10 minutes; secret: no longer good; api_token: ended for 90 days (token_keep); access: of roles that are gone. The names are those of evervec.setting. Raises VE601.$$;

revoke execute on function evervec.cleanup_expired(integer) from public;

-- file: functions/schedule/cron_schedule.sql
-- cron_schedule: how pg_cron writes "every so often".
--
-- Under a minute in seconds, which pg_cron has from 1.5 on; otherwise in whole minutes or hours, rounded down.
-- Locks:  none.
create or replace function evervec.cron_schedule(p_every interval)
returns text
language sql immutable
set search_path from current
as $$
    select case when s.seconds < 60 then format('%s seconds', greatest(s.seconds, 1))
                when s.seconds < 3600 then format('*/%s * * * *', s.seconds / 60)
                when s.seconds < 86400 then format('0 */%s * * *', s.seconds / 3600)
                else '0 0 * * *' end
      from (select extract(epoch from p_every)::integer as seconds) s
$$;

comment on function evervec.cron_schedule(interval) is
$$Internal. A schedule of pg_cron for an interval of a second to a day.$$;

revoke execute on function evervec.cron_schedule(interval) from public;

-- file: functions/schedule/has_cron.sql
-- has_cron: whether pg_cron is in this database, and the current role may use it.
--
-- A schema called cron might be anybody's, and what is called there runs with our rights: it counts as a part of the extension, or a superuser's.
-- Locks:  none.
create or replace function evervec.has_cron()
returns boolean
language sql stable
set search_path from current
as $$
    select exists (
        select
          from pg_namespace n
          join pg_roles o on o.oid = n.nspowner
         where n.nspname = 'cron' and has_schema_privilege(n.oid, 'usage')
           and (o.rolsuper or exists (
                select
                  from pg_depend d
                  join pg_extension e on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid
                 where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e' and e.extname = 'pg_cron')))
$$;

comment on function evervec.has_cron() is
$$Internal. Whether pg_cron can be used here by the current role.$$;

revoke execute on function evervec.has_cron() from public;

-- file: functions/schedule/maintain.sql
-- maintain: runs the piece of upkeep that has been due longest, for workers where no scheduler does.
--
-- However many workers ask, each piece runs once in its time: whoever runs it holds its row, and the others skip that. A piece that
-- fails waits for its next turn like any other, so that it keeps none from being done; nothing of what it did stays.
-- Locks:  the piece's row of evervec.maintenance, SKIP LOCKED, and those of what it runs.
create or replace function evervec.maintain(
    out job    text,
    out result jsonb,
    out error  text
)
language plpgsql security definer
set search_path from current
as $$
begin
    select m.job
      into job
      from evervec.maintenance m
     where m.by_worker and m.ran_at <= clock_timestamp() - m.every
     order by m.ran_at + m.every
     limit 1
       for update skip locked;
    if not found then
        return;
    end if;
    begin
        execute (
            select format(case when p.proretset then 'select jsonb_object_agg(r.kind, r.removed) from evervec.%I() r'
                               else 'select to_jsonb(r) from (select * from evervec.%I()) r' end, p.proname)
              from pg_proc p
             where p.pronamespace = 'evervec'::regnamespace and p.proname = job)
        into result;
    exception when others then
        error := sqlerrm;
    end;
    update evervec.maintenance m set ran_at = clock_timestamp(), error = maintain.error where m.job = maintain.job;
end
$$;

comment on function evervec.maintain() is
$$Runs one piece of upkeep, if one is due (evervec.maintenance: tick every 15 seconds, cleanup_expired every 5 seconds, apply_retention every 10 minutes), once whoever else calls this. job: which one; NULL: nothing is due. result: what it returned, by its columns, and of cleanup_expired by kinds. error: why it failed; it is tried again in its next turn. Call it again while it names a job.$$;

revoke execute on function evervec.maintain() from public;

-- file: functions/schedule/maintenance_jobs.sql
-- maintenance_jobs: the upkeep of this database as jobs of pg_cron: evervec.maintenance, and the pruning of what pg_cron keeps about them.
--
-- Pruning is a plain statement, because it runs in pg_cron's database, where evervec may not be. It leaves alone what other jobs did,
-- and takes by number, because runs that a crash cut short have no times.
-- Locks:  none.
-- needs: functions/control/setting_interval.sql
-- needs: functions/schedule/cron_schedule.sql
create or replace function evervec.maintenance_jobs()
returns table (name text, schedule text, command text, database name, role name)
language sql stable security definer
set search_path from current
as $$
    with job as (
        select m.job, m.every, format('select * from evervec.%I()', m.job) as command
          from evervec.maintenance m
        union all
        select 'prune', interval '1 hour', null
    ), named as (
        select format('evervec.%s@%s', j.job, current_database()) as name, j.every, j.command
          from job j
    ), prune as (
        select format('delete from cron.job_run_details where runid in (select d.runid from cron.job_run_details d join cron.job j using (jobid) '
                      'where j.jobname::text = any (%L) and d.runid <= (select max(o.runid) from cron.job_run_details o '
                      'where o.end_time < now() - interval %L) order by d.runid limit 50000)',
                      array_agg(n.name order by n.name), evervec.setting_interval('cron_history_keep', '2 days')) as command
          from named n
    )
    select n.name, evervec.cron_schedule(n.every), coalesce(n.command, p.command),
           case when n.command is not null then current_database() end,
           case when n.command is not null then current_user end
      from named n
      cross join prune p
     order by n.name
$$;

comment on function evervec.maintenance_jobs() is
$$The jobs that schedule_maintenance gives to pg_cron, for those who schedule otherwise. name: unique on the server; schedule: in pg_cron's words, from evervec.maintenance; command: SQL; database, role: where the job runs, and as whom; NULL: where pg_cron is, as whoever schedules it, which is so for pruning what pg_cron keeps about these jobs (setting cron_history_keep, 2 days).$$;

revoke execute on function evervec.maintenance_jobs() from public;

-- file: functions/schedule/schedule_maintenance.sql
-- schedule_maintenance: gives the upkeep of this database to pg_cron.
--
-- A job of the same name and role is replaced, so this may be repeated, after a change of evervec.maintenance too. pg_cron before 1.5
-- refuses seconds: those jobs run every minute.
-- Locks:  rows of cron.job.
-- Raises: VE421 pg_cron is not here, or not for evervec's owner
-- needs: functions/schedule/has_cron.sql
-- needs: functions/schedule/maintenance_jobs.sql
create or replace function evervec.schedule_maintenance()
returns table (name text, schedule text)
language plpgsql security definer
set search_path from current
as $$
declare
    c_schedule constant text := 'select cron.schedule($1, $2, $3)';
    v_job      record;
begin
    if not evervec.has_cron() then
        raise exception using
            errcode = 'VE421',
            message = format('pg_cron cannot be used in database "%s"', current_database()),
            detail  = format('There is no schema cron here, or %I has no USAGE on it.', current_user),
            hint    = format('CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO %I; as a superuser, or "evervec schedule --cron-dsn URL" where '
                             'pg_cron is in another database. Without pg_cron, workers do the same.', current_user);
    end if;
    for v_job in select * from evervec.maintenance_jobs() loop
        name := v_job.name;
        schedule := v_job.schedule;
        begin
            execute c_schedule using name, schedule, v_job.command;
        exception when invalid_parameter_value then
            schedule := '* * * * *';
            execute c_schedule using name, schedule, v_job.command;
        end;
        return next;
    end loop;
end
$$;

comment on function evervec.schedule_maintenance() is
$$Gives the upkeep of this database (see maintenance_jobs) to pg_cron, to be run as evervec's owner; returns the jobs with their schedules. May be repeated. Where pg_cron is in another database: "evervec schedule --cron-dsn". Raises VE421.$$;

revoke execute on function evervec.schedule_maintenance() from public;

-- file: functions/schedule/unschedule_maintenance.sql
-- unschedule_maintenance: takes the upkeep of this database from pg_cron again, with what pg_cron kept about it.
--
-- Locks:  rows of cron.job and cron.job_run_details.
-- needs: functions/schedule/has_cron.sql
-- needs: functions/schedule/maintenance_jobs.sql
create or replace function evervec.unschedule_maintenance()
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_jobs  bigint[];
    v_count bigint;
begin
    if not evervec.has_cron() then
        return 0;
    end if;
    execute 'select array_agg(j.jobid) from cron.job j where j.jobname::text = any ($1)'
       into v_jobs
      using array(select m.name from evervec.maintenance_jobs() m);
    execute 'delete from cron.job_run_details d where d.jobid = any ($1)' using v_jobs;
    execute 'select count(cron.unschedule(j.jobid)) from unnest($1) as j (jobid)' into v_count using v_jobs;
    return v_count;
end
$$;

comment on function evervec.unschedule_maintenance() is
$$Takes the jobs of schedule_maintenance from pg_cron; returns how many there were, 0 also where pg_cron is not.$$;

revoke execute on function evervec.unschedule_maintenance() from public;

-- file: functions/search/add_filter.sql
-- add_filter: a condition over the rows of a source, and functions that search among the rows that meet it.
--
-- The condition goes into the scan: a search for ten rows finds ten, as long as so many qualify.
-- Locks:  none that matter.
-- Raises: VE101 unknown source · VE106 a name that is empty, too long, or makes the name of another function ·
--         VE209 a filter of that name exists · VE210 not a condition, or a parameter that is not a name and a type
-- needs: functions/track/add_source.sql
create or replace function evervec.add_filter(
    p_source     text,
    p_name       text,
    p_condition  text,
    p_parameters text[] default '{}'
)
returns text
language plpgsql
set search_path from current
as $$
declare
    v_source    evervec.source := evervec.source_named(p_source);
    v_filter    evervec.filter;
    v_parameter text;
    v_parts     text[];
    v_type      regtype;
    v_taken     text;
begin
    if p_name is null or p_name !~ '\S' or octet_length(format('hybrid_search_%s_%s', p_source, p_name)) > 63 then
        raise exception using
            errcode = 'VE106',
            message = format('a filter of source "%s" cannot be named %s', p_source, coalesce(quote_literal(p_name), 'NULL')),
            detail  = 'The names of its functions are made of that of the source and its own, and PostgreSQL keeps 63 bytes.',
            hint    = format('Give a p_name of 1 to %s bytes.', 63 - octet_length(format('hybrid_search_%s_', p_source)));
    elsif exists (select from evervec.filter f where f.source_id = v_source.source_id and f.name = p_name) then
        raise exception using
            errcode = 'VE209',
            message = format('source "%s" has a filter "%s" already', p_source, p_name),
            detail  = (select format('Its condition is: %s', f.condition)
                         from evervec.filter f where f.source_id = v_source.source_id and f.name = p_name),
            hint    = format('Give another p_name, or first: SELECT evervec.drop_filter(%L, %L);', p_source, p_name);
    end if;
    select p.proname into v_taken
      from pg_proc p
     where p.pronamespace = 'evervec'::regnamespace and p.proname = any (evervec.filter_functions(p_source, p_name))
     limit 1;
    if found then
        raise exception using
            errcode = 'VE106',
            message = format('a filter of source "%s" cannot be named "%s"', p_source, p_name),
            detail  = format('Its function %I would bear the name of one that is there.', v_taken),
            hint    = 'Give another p_name.';
    end if;

    foreach v_parameter in array coalesce(p_parameters, '{}') loop
        v_parts := regexp_match(v_parameter, '^\s*([a-z_][a-z0-9_]*)\s+(\S.*?)\s*$');
        begin
            v_type := to_regtype(v_parts[2]);
        exception when syntax_error then
            v_type := null;
        end;
        if v_type is null
           or v_parts[1] = any (array['p_query', 'p_limit', 'p_min_similarity', 'p_exclude', 'p_diversity',
                                'p_text', 'p_vector_weight', 'p_text_weight', 'p_k', 'similarity', 'distance', 'row_key', 'score',
                                'vector_rank', 'text_rank', 'text_score'] || v_filter.parameter_names)
           -- In the condition, the column would be meant.
           or exists (select from pg_attribute a where a.attrelid = v_source.relation and a.attname = v_parts[1]) then
            raise exception using
                errcode = 'VE210',
                message = format('%s is not a parameter for a filter', coalesce(quote_literal(v_parameter), 'NULL')),
                detail  = 'A parameter is a name, in lower case, not that of a column or of what every search has, and a type.',
                hint    = 'Write it as in ''p_from integer''; name types of your own with their schema.';
        end if;
        v_filter.parameter_names := v_filter.parameter_names || v_parts[1];
        v_filter.parameter_types := v_filter.parameter_types || format_type(v_type, null);
    end loop;
    insert into evervec.filter (source_id, name, condition, parameter_names, parameter_types)
    values (v_source.source_id, p_name, coalesce(p_condition, ''), coalesce(v_filter.parameter_names, '{}'),
            coalesce(v_filter.parameter_types, '{}'))
    returning * into v_filter;
    perform evervec.create_filter_functions(v_source, v_filter);
    perform evervec.renew_access();
    return format('find_similar_%s_%s', p_source, p_name);
end
$$;

comment on function evervec.add_filter(text, text, text, text[]) is
$$Adds a filter to a source and returns the name of its search function, find_similar_<source>_<filter>(p_query, its parameters, p_limit, p_min_similarity, p_exclude, p_diversity). p_condition: SQL over the row, which is called by its table's name; it may look into other tables by EXISTS or IN, named with their schema, and is evaluated with the caller's privileges. p_parameters: 'name type' each, such as 'p_from integer', in the condition by name or as $1, $2, …. Raises VE101, VE106, VE209, VE210.$$;

revoke execute on function evervec.add_filter(text, text, text, text[]) from public;

-- file: functions/search/among_query.sql
-- among_query: the query by which find_similar_among asks the function that was generated for a filter.
--
-- Locks:  none.
-- Raises: VE101 unknown source · VE111 arguments that the filter does not take · VE208 unknown filter
create or replace function evervec.among_query(p_source text, p_filter text, p_arguments jsonb)
returns text
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_filter evervec.filter := evervec.filter_named(v_source, p_filter);
begin
    return format(
        'select evervec.%I(%s), n.similarity, n.distance from evervec.%I(%s) n', 'key_' || p_source,
        (select string_agg(format('n.%I', evervec.result_name(k.name, v_filter)), ', ' order by k.ordinality)
           from unnest(v_source.key_columns) with ordinality as k (name, ordinality)),
        format('find_similar_%s_%s', p_source, p_filter),
        concat_ws(', ', '$2', evervec.filter_arguments(p_source, p_filter, p_arguments), '$3', '$4',
                  -- The typed function takes the values of a key of one column, as create_search has it.
                  case when cardinality(v_source.key_columns) = 1 and evervec.is_scalar(v_source.key_types[1])
                       then format('array(select (x.row_key ->> %L)::%s from unnest($5) as x (row_key))', v_source.key_columns[1], v_source.key_types[1])
                       else '$5' end,
                  '$6'));
end
$$;

comment on function evervec.among_query(text, text, jsonb) is
$$Internal. The text of the query over ($1 the filter's arguments, $2 query vector, $3 limit, $4 threshold, $5 row_keys to leave out, $6 diversity). Raises VE101, VE111, VE208.$$;

revoke execute on function evervec.among_query(text, text, jsonb) from public;

-- file: functions/search/better_index.sql
-- better_index: what to do about an index that misses too much, whatever its searches do: the next better way to build it.
--
-- Locks:  none.
-- Raises: VE101 unknown source
create or replace function evervec.better_index(p_source text)
returns text
language sql stable security definer
set search_path from current
as $$
    select case
        when s.search_precision = 'bit' and coalesce((s.index_options ->> 'rerank')::integer, 20) < 1000
        then format('Rank more of what the index finds: SELECT evervec.retrack(%L, p_index_options => %L); or take p_precision => ''half''.', s.name,
                    s.index_options || jsonb_build_object('rerank', least(4 * coalesce((s.index_options ->> 'rerank')::integer, 20), 1000)))
        when s.search_method = 'hnsw'
        then format('Build a better graph: SELECT evervec.retrack(%L, p_index_options => %L); then build it, and tune again.', s.name,
                    s.index_options || jsonb_build_object('m', o.m, 'ef_construction', greatest(4 * o.m, least(2 * o.ef, 1000))))
        else 'Ask for less recall, or take p_index => ''hnsw''.' end
      from evervec.source_named(p_source) s
      cross join lateral (
        select least(2 * coalesce((s.index_options ->> 'm')::integer, 16), 100) as m, coalesce((s.index_options ->> 'ef_construction')::integer, 64) as ef) o
$$;

comment on function evervec.better_index(text) is
$$Internal. A HINT: how to build the index of a source so that it misses less. Raises VE101.$$;

revoke execute on function evervec.better_index(text) from public;

-- file: functions/search/bm25_ranking.sql
-- bm25_ranking: by which index, and for which words, BM25 ranks what a search in words finds; NULLs where it cannot, or must not.
--
-- It cannot before its index is built, and after the extension was dropped. It must not where row-level security hides rows from the caller: its score
-- counts in how many texts a word occurs, and would tell of a row of the caller's own whether somebody else's has the same word.
--
-- What is excluded is no word to rank by, and neither is the or between two; beyond 64, pg_textsearch looks each up anew for each row.
-- Its index ends after 100,000 texts, and has none without any of these words: may_end says that there could be such a text that is wanted.
-- Locks:  none.
create or replace function evervec.bm25_ranking(
    p_target    regclass,
    p_schema    text,
    p_text      text,
    out index   text,
    out words   text,
    out may_end boolean
)
language plpgsql stable
set search_path from current
as $$
begin
    select format('%I.%I', n.nspname, c.relname) into index
      from pg_index i
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0] and a.attname = 'document_text'
      join pg_class c on c.oid = i.indexrelid
      join pg_namespace n on n.oid = c.relnamespace
      join pg_am m on m.oid = c.relam and m.amname = 'bm25'
     where i.indrelid = p_target and i.indisvalid and p_schema = evervec.bm25_schema() and not row_security_active(p_target);
    if found then
        words := regexp_replace(left(p_text, 10000), '(^|\s)-\s*("[^"]*"?|\S+)|\mor\M', ' ', 'gi');
        words := array_to_string((regexp_split_to_array(words, '\s+'))[:64], ' ');
        may_end := words <> p_text or evervec.estimated_rows(p_target) > 50000;
    end if;
end
$$;

comment on function evervec.bm25_ranking(regclass, text, text) is
$$Internal. The index of pg_textsearch (in p_schema) on an embedding table, the words to rank by, and whether its answer may end before all is found; NULLs where ts_rank_cd is to rank.$$;

revoke execute on function evervec.bm25_ranking(regclass, text, text) from public;

-- file: functions/search/check_row_key.sql
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

-- file: functions/search/check_words.sql
-- check_words: refuses a search without words.
--
-- Locks:  none.
-- Raises: VE218 NULL, or nothing but blanks
create or replace function evervec.check_words(p_text text)
returns void
language plpgsql immutable
set search_path from current
as $$
begin
    if p_text is null or p_text collate "default" !~ '\S' then
        raise exception using
            errcode = 'VE218', message = 'there are no words to search for',
            detail  = format('p_text is %s.', case when p_text is null then 'NULL' else 'blank' end),
            hint    = 'Give the words of the search; evervec.find_similar() searches by a vector, evervec.find_similar_to() by a row.';
    end if;
end
$$;

comment on function evervec.check_words(text) is
$$Internal. Raises VE218 where there are no words to search for.$$;

revoke execute on function evervec.check_words(text) from public;

-- file: functions/search/diversify.sql
-- diversify: chooses rows that are like the query and unlike each other (maximal marginal relevance).
--
-- The first is the most relevant; each next one has the most of (1 − p_diversity) × its similarity to the query − p_diversity ×
-- its similarity to the nearest of those chosen. Work and time grow with p_limit × the number of candidates.
-- Locks:  none.
create or replace function evervec.diversify(
    p_embeddings vector[],
    p_similarity real[],
    p_distance   text,
    p_limit      integer,
    p_diversity  real
)
returns integer[]
language plpgsql immutable
set search_path from current
as $$
declare
    v_candidates integer := coalesce(cardinality(p_similarity), 0);
    v_closest    real[] := array_fill('-Infinity'::real, array[v_candidates]);
    v_chosen     integer[] := array[]::integer[];
    v_next       integer;
    v_vector     vector;
begin
    for v_place in 1 .. least(p_limit, v_candidates) loop
        select c.place
          into v_next
          from unnest(p_similarity, v_closest) with ordinality as c (similarity, closest, place)
         where c.place <> all (v_chosen)
         order by case when v_place = 1 then c.similarity
                       else (1 - p_diversity) * c.similarity - p_diversity * c.closest end desc, c.place
         limit 1;
        v_chosen := v_chosen || v_next;
        v_vector := p_embeddings[v_next];
        v_closest := array(
            select greatest(c.closest, case p_distance when 'cosine' then 1 - (c.embedding <=> v_vector)
                                                       when 'inner_product' then -(c.embedding <#> v_vector)
                                                       when 'l2' then 1 / (1 + (c.embedding <-> v_vector))
                                                       when 'l1' then 1 / (1 + (c.embedding <+> v_vector)) end)::real
              from unnest(p_embeddings, v_closest) with ordinality as c (embedding, closest, place)
             order by c.place);
    end loop;
    return v_chosen;
end
$$;

comment on function evervec.diversify(vector[], real[], text, integer, real) is
$$Internal. Positions of the candidates that are chosen, in their order; p_similarity: that of each to the query.$$;

revoke execute on function evervec.diversify(vector[], real[], text, integer, real) from public;

-- file: functions/search/drop_filter.sql
-- drop_filter: takes back what add_filter made.
--
-- Locks:  none that matter.
-- Raises: VE101 unknown source · VE208 unknown filter · 2BP01 something else uses one of its functions
create or replace function evervec.drop_filter(p_source text, p_name text)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_source   evervec.source := evervec.source_named(p_source);
    v_function regprocedure;
begin
    delete from evervec.filter f where f.filter_id = (evervec.filter_named(v_source, p_name)).filter_id;
    for v_function in
        select p.oid from pg_proc p
         where p.pronamespace = 'evervec'::regnamespace and p.proname = any (evervec.filter_functions(p_source, p_name))
    loop
        execute format('drop function %s', v_function);
    end loop;
end
$$;

comment on function evervec.drop_filter(text, text) is
$$Removes a filter of a source, and its functions. Raises VE101, VE208, 2BP01.$$;

revoke execute on function evervec.drop_filter(text, text) from public;

-- file: functions/search/list_probes.sql
-- list_probes: into how many lists of its ivfflat index a search looks where nobody has said.
--
-- Half as many again as the root of their number finds nine tenths of what is nearest among real texts, three times the root 95 of a hundred or more.
--
-- Locks:  none.
create or replace function evervec.list_probes(p_target regclass)
returns integer
language sql stable
set search_path from current
as $$
    select coalesce(max(ceil(3 * sqrt(coalesce(substring(c.reloptions::text from 'lists=(\d+)')::integer, 100)))), 1)::integer
      from pg_index i
      join pg_class c on c.oid = i.indexrelid
      join pg_am a on a.oid = c.relam
     where i.indrelid = p_target and a.amname = 'ivfflat'
$$;

comment on function evervec.list_probes(regclass) is
$$Internal. The number of lists of an ivfflat index over a table that a search looks into by default: three times the root of their number, at most all.$$;

revoke execute on function evervec.list_probes(regclass) from public;

-- file: functions/search/duplicates_of.sql
-- duplicates_of: the query by which near_duplicates walks a source, and the key after which a slice begins.
--
-- Of each row in the slice the nearest are looked up through the index, and those behind it in key order are its pairs: so a pair is given
-- once, with the smaller key. The last row of a full slice names where it ended.
-- Locks:  none.
-- Raises: VE101 unknown source · VE202 bad row_key
-- needs: functions/search/comparison.sql
-- needs: functions/search/list_probes.sql
create or replace function evervec.duplicates_of(p_source text, p_after jsonb, out after jsonb, out query text, out pool integer, out probes integer)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source   evervec.source := evervec.source_named(p_source);
    v_compared record := evervec.comparison(v_source, v_source.search_precision, format('e.%I', v_source.vector_column), 's."evervec vector"');
begin
    pool := v_compared.pool;
    probes := case when v_source.search_method = 'ivfflat' then coalesce(v_source.search_effort, evervec.list_probes(v_source.target)) end;
    after := case when p_after is not null then evervec.check_row_key(v_source, p_after) end;
    query := format(
        $sql$
        with slice as materialized (
            select %1$s, e.%2$I as "evervec vector"
              from %3$s e
             where e.%2$I is not null and %4$s
             order by %1$s
             limit $2
        )
        select %5$s, p.row_key, (%6$s)::real, p.distance::real
          from slice s
          cross join lateral (
            select %7$s as row_key, n.distance
              from (
                select * from (
                select %1$s, %8$s as distance
                  from %3$s e
                 where e.%2$I is not null
                 order by %11$s
                 limit $3 * %12$s
                ) n
                 order by n.distance
                 limit $3
              ) n
             where (%9$s) > (%10$s) and n.distance <> 'NaN'
          ) p
         where (%6$s)::real >= $4
        union all
        select (array_agg(%5$s order by %10$s))[count(*)], null, null, null
          from slice s
        having count(*) = $2
        $sql$,
        evervec.key_list(v_source, 'e', true), v_source.vector_column, evervec.qualified_name(v_source.target),
        case when p_after is null then 'true'
             else format('(%s) > (%s)', evervec.key_list(v_source, 'e', true), evervec.key_decoded(v_source, '$1')) end,
        evervec.key_call(v_source, 's', true), format(v_compared.similarity, 'p.distance'), evervec.key_call(v_source, 'n', true),
        v_compared.distance, evervec.key_list(v_source, 'n', true), evervec.key_list(v_source, 's', true), v_compared.ordering, v_compared.pool);
end
$$;

comment on function evervec.duplicates_of(text, jsonb) is
$$Internal. The canonical key after which to begin, and the text of the query over ($1 that key, $2 rows of the slice, $3 neighbours of each, $4 threshold); pool: how many times more neighbours the index is asked for, probes: into how many lists of ivfflat to look. Raises VE101, VE202.$$;

revoke execute on function evervec.duplicates_of(text, jsonb) from public;

-- file: functions/search/filter_arguments.sql
-- filter_arguments: the arguments of a filter's functions, read out of a JSON object, in their order.
--
-- Locks:  none.
-- Raises: VE101 unknown source · VE111 arguments that the filter does not take · VE208 unknown filter
create or replace function evervec.filter_arguments(p_source text, p_filter text, p_arguments jsonb)
returns text
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_filter evervec.filter := evervec.filter_named(v_source, p_filter);
begin
    if jsonb_typeof(p_arguments) is distinct from 'object'
       or array(select jsonb_object_keys(p_arguments) order by 1) <> array(select unnest(v_filter.parameter_names) order by 1) then
        raise exception using
            errcode = 'VE111',
            message = format('these are not the arguments of filter "%s" of source "%s"', p_filter, p_source),
            detail  = format('It takes a JSON object with exactly these members: %s.',
                             coalesce(nullif(array_to_string(v_filter.parameter_names, ', '), ''), 'none')),
            hint    = 'For example: {"p_from": 1970}; what is no number or boolean is written as PostgreSQL reads it from a string.';
    end if;
    return (
        select string_agg(format('($1->>%L)::%s', p.name, p.type), ', ' order by p.ordinality)
          from unnest(v_filter.parameter_names, v_filter.parameter_types) with ordinality as p (name, type, ordinality));
end
$$;

comment on function evervec.filter_arguments(text, text, jsonb) is
$$Internal. SQL expressions over $1, a JSON object such as p_arguments, for the parameters of a filter; NULL where it has none. Raises VE101, VE111, VE208.$$;

revoke execute on function evervec.filter_arguments(text, text, jsonb) from public;

-- file: functions/search/filter_named.sql
-- filter_named: the filter of that name, or an error that says what to do.
--
-- Locks:  none.
-- Raises: VE208 unknown filter
create or replace function evervec.filter_named(p_source evervec.source, p_name text)
returns evervec.filter
language plpgsql stable
set search_path from current
as $$
declare
    v_filter evervec.filter;
begin
    select f.* into v_filter from evervec.filter f where f.source_id = p_source.source_id and f.name = p_name;
    if not found then
        raise exception using
            errcode = 'VE208',
            message = format('source "%s" has no filter "%s"', p_source.name, p_name),
            detail  = coalesce((select 'Its filters: ' || string_agg(f.name, ', ' order by f.name) || '.'
                                  from evervec.filter f where f.source_id = p_source.source_id), 'It has none.'),
            hint    = 'Names are case-sensitive.';
    end if;
    return v_filter;
end
$$;

comment on function evervec.filter_named(evervec.source, text) is
$$Internal. The row of evervec.filter. Raises VE208.$$;

revoke execute on function evervec.filter_named(evervec.source, text) from public;

-- file: functions/search/find_similar.sql
-- find_similar: the rows of a source nearest to a query vector, for any source by its name.
--
-- Runs as the caller, so that the privileges and policies on the embedding table hold. All is done by the function that was generated
-- for the source; that it is there is the fastest way to know that the source is.
--
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE201 bad query vector · VE204 bad limit, threshold or diversity · VE211 (a WARNING) rows may be missing
create or replace function evervec.find_similar(
    p_source         text,
    p_query          vector,
    p_limit          integer default 10,
    p_min_similarity real default null,
    p_exclude        jsonb[] default '{}',
    p_diversity      real default null
)
returns table (row_key jsonb, similarity real, distance real)
language plpgsql stable
set search_path from current
as $$
begin
    if p_source is null or to_regproc(format('evervec.%I', 'similar_' || p_source)) is null then
        perform evervec.get_source(p_source);
    end if;
    return query execute format('select * from evervec.%I($1, $2, $3, $4, $5)', 'similar_' || p_source)
    using p_query, p_limit, p_min_similarity, p_exclude, p_diversity;
end
$$;

comment on function evervec.find_similar(text, vector, integer, real, jsonb[], real) is
$$Rows of a source nearest to p_query, nearest first; ties in the order of their keys. p_query: a vector of the model's dimensions. p_limit: default 10. p_min_similarity: leave out what is less similar. p_exclude: row_keys to leave out; others take their places. p_diversity: from 0 to 1, how much rows should be unlike each other rather than like the query (default: not at all; see docs/search.md). similarity: 1 − distance (cosine), the inner product, or 1 / (1 + distance) (l2, l1). Runs with the caller's privileges. Raises VE101, VE201, VE204; warns with VE211 when evervec.exact_search is off and the index gave too few rows.$$;

revoke execute on function evervec.find_similar(text, vector, integer, real, jsonb[], real) from public;

-- file: functions/search/find_similar_among.sql
-- find_similar_among: find_similar among the rows that a filter leaves, for any source and filter by their names.
--
-- Runs as the caller, as the function that was generated for the filter, which does all of it.
--
-- Locks:  ACCESS SHARE on the embedding table, and what the filter reads.
-- Raises: VE101 unknown source · VE111 arguments that the filter does not take · VE201 bad query vector · VE204 bad limit, threshold or diversity ·
--         VE208 unknown filter · VE211 (a WARNING) rows may be missing
create or replace function evervec.find_similar_among(
    p_source         text,
    p_filter         text,
    p_arguments      jsonb,
    p_query          vector,
    p_limit          integer default 10,
    p_min_similarity real default null,
    p_exclude        jsonb[] default '{}',
    p_diversity      real default null
)
returns table (row_key jsonb, similarity real, distance real)
language plpgsql stable
set search_path from current
as $$
begin
    return query execute evervec.among_query(p_source, p_filter, p_arguments)
    using p_arguments, p_query, p_limit, p_min_similarity, p_exclude, p_diversity;
end
$$;

comment on function evervec.find_similar_among(text, text, jsonb, vector, integer, real, jsonb[], real) is
$$find_similar among the rows that a filter of the source (see add_filter) leaves. p_arguments: a JSON object with a member for each parameter of the filter, {} where it has none. The other parameters and the result are those of find_similar. Where source and filter are known beforehand, find_similar_<source>_<filter> is the same, typed. Runs with the caller's privileges. Raises VE101, VE111, VE201, VE204, VE208; warns with VE211.$$;

revoke execute on function evervec.find_similar_among(text, text, jsonb, vector, integer, real, jsonb[], real) from public;

-- file: functions/search/find_similar_to.sql
-- find_similar_to: rows most like a given row, never the row itself.
--
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE202 bad row_key · VE203 the row has no vector · VE204 bad limit, threshold or diversity · VE211 (a WARNING)
--         rows may be missing
create or replace function evervec.find_similar_to(
    p_source         text,
    p_row_key        jsonb,
    p_limit          integer default 10,
    p_min_similarity real default null,
    p_exclude        jsonb[] default '{}',
    p_diversity      real default null
)
returns table (row_key jsonb, similarity real, distance real)
language plpgsql stable
set search_path from current
as $$
declare
    v_lookup record;
    v_query  vector;
begin
    select * into v_lookup from evervec.vector_lookup(p_source, p_row_key);
    execute v_lookup.query into v_query using v_lookup.row_key;
    if v_query is null then
        raise exception using
            errcode = 'VE203',
            message = format('row %s of source "%s" has no vector', v_lookup.row_key, p_source),
            detail  = 'The row does not exist, has no text, is archived, waits for a worker, or is hidden from you.',
            hint    = format('See what is under way: SELECT * FROM evervec.pending(%L);', p_source);
    end if;
    return query
    select * from evervec.find_similar(p_source, v_query, p_limit, p_min_similarity, v_lookup.row_key || p_exclude, p_diversity);
end
$$;

comment on function evervec.find_similar_to(text, jsonb, integer, real, jsonb[], real) is
$$Rows most similar to one row of a source, nearest first, without the row itself. p_row_key: a JSON object of the key columns. The other parameters and the result are those of find_similar. Raises VE101, VE202, VE203, VE204; warns with VE211.$$;

revoke execute on function evervec.find_similar_to(text, jsonb, integer, real, jsonb[], real) from public;

-- file: functions/search/hybrid_pool.sql
-- hybrid_pool: how many rows each leg of a hybrid search brings, once its arguments are known to be good.
--
-- Locks:  none.
-- Raises: VE202 no list of keys · VE204 bad limit · VE218 no words · VE220 bad weight or k
create or replace function evervec.hybrid_pool(
    p_text          text,
    p_limit         integer,
    p_vector_weight double precision,
    p_text_weight   double precision,
    p_k             integer,
    p_exclude       jsonb[]
)
returns integer
language plpgsql stable
set search_path from current
as $$
begin
    perform evervec.check_words(p_text);
    if p_limit is null or p_limit < 0 then
        raise exception using
            errcode = 'VE204', message = format('a limit of %s makes no sense', coalesce(p_limit::text, 'NULL')),
            detail  = 'p_limit is the number of rows that a search returns at most.',
            hint    = 'Give a limit of 0 or more.';
    -- NaN is greater than infinity.
    elsif (p_vector_weight >= 0 and p_text_weight >= 0 and greatest(p_vector_weight, p_text_weight) between 1e-30 and 1e30 and p_k >= 1)
          is not true then
        raise exception using
            errcode = 'VE220', message = 'weights and k of a hybrid search are out of range',
            detail  = format('p_vector_weight is %s, p_text_weight %s, p_k %s.', coalesce(p_vector_weight::text, 'NULL'),
                             coalesce(p_text_weight::text, 'NULL'), coalesce(p_k::text, 'NULL')),
            hint    = 'Give weights of 0 (without that leg) or more, not both 0, and a k of 1 or more; or leave them out: 1, 1 and 60.';
    elsif p_exclude is null then
        raise exception using
            errcode = 'VE202', message = 'NULL is no list of keys',
            detail  = 'p_exclude lists the row_keys to leave out.',
            hint    = 'Leave it out to leave out none.';
    end if;
    return least(greatest(100, 2 * p_limit::bigint) + cardinality(p_exclude), 1000000);
end
$$;

comment on function evervec.hybrid_pool(text, integer, double precision, double precision, integer, jsonb[]) is
$$Internal. The number of rows for each leg of a hybrid search; raises VE202, VE204, VE218 or VE220 when its arguments are not good.$$;

revoke execute on function evervec.hybrid_pool(text, integer, double precision, double precision, integer, jsonb[]) from public;

-- file: functions/search/hybrid_search.sql
-- hybrid_search: the rows of a source that meaning and words find together, for any source by its name.
--
-- Runs as the caller, by the function that was generated for the source.
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE201 bad query vector · VE202 no list of keys · VE204 bad limit · VE207 the vector of the words is not known · VE211 (a WARNING)
--         rows may be missing · VE218 no words · VE219 the source keeps no words · VE220 bad weight or k · VE424 the webhook gives no vector
create or replace function evervec.hybrid_search(
    p_source        text,
    p_text          text,
    p_query         vector default null,
    p_limit         integer default 10,
    p_vector_weight double precision default 1,
    p_text_weight   double precision default 1,
    p_k             integer default 60,
    p_exclude       jsonb[] default '{}'
)
returns table (row_key jsonb, score double precision, vector_rank integer, similarity real, text_rank integer, text_score real)
language plpgsql stable
set search_path from current
as $$
begin
    perform evervec.hybrid_pool(p_text, p_limit, p_vector_weight, p_text_weight, p_k, p_exclude);
    if p_source is null or to_regproc(format('evervec.%I', 'hybrid_search_' || p_source)) is null then
        perform evervec.get_source(p_source);
        raise exception using
            errcode = 'VE219', message = format('source "%s" keeps no words beside its vectors', p_source),
            detail  = 'It was tracked without p_text_search, so that texts can be searched by their meaning only.',
            hint    = format('SELECT evervec.retrack(%L, p_text_search => ''english''); workers then write the words, without asking the model.', p_source);
    end if;
    return query execute format('select * from evervec.%I($1, $2, $3, $4, $5, $6, $7)', 'hybrid_search_' || p_source)
    using p_text, p_query, p_limit, p_vector_weight, p_text_weight, p_k, p_exclude;
end
$$;

comment on function evervec.hybrid_search(text, text, vector, integer, double precision, double precision, integer, jsonb[]) is
$$Rows of a source that are near in meaning to p_text, that contain its words, or both, by weighted reciprocal rank: score is the sum of weight / (p_k + rank) over the two searches that found the row. The source must be tracked with p_text_search. p_text: the words as for a search engine: all must occur; "…" is a phrase, or and -word work. p_query: their vector (default: the cached one, see search). p_limit: default 10. p_vector_weight, p_text_weight: 1 and 1; 0 leaves that search out, and then needs no vector. p_k: default 60; the greater, the less the first ranks count. p_exclude: row_keys to leave out. vector_rank, similarity and text_rank, text_score (BM25 or ts_rank_cd, see get_source) are NULL where that search did not find the row among its first, twice p_limit and a hundred at least. Words that are all stop words or all excluded leave the order to the vectors. Runs with the caller's privileges. Raises VE101, VE201, VE202, VE204, VE207, VE218, VE219, VE220, VE424; warns with VE211 as find_similar.$$;

revoke execute on function evervec.hybrid_search(text, text, vector, integer, double precision, double precision, integer, jsonb[]) from public;

-- file: functions/search/index_visits.sql
-- index_visits: how many vectors a scan of the index has to look at to find enough that qualify; NULL where it is cheaper to read all that
-- qualifies and to sort.
--
-- As many that qualify as hnsw.ef_search, or twice those wanted.
-- By the planner's estimate, made as the caller and for these very values. Pages are taken to be in memory, as the index has to be anyway;
-- then a unit of the planner's cost is about six microseconds, reading a vector by its key 0.4 units, and a step of the index one.
-- VOLATILE, because EXPLAIN may not stand in a function that is not.
-- Locks:  none that matter.
create or replace function evervec.index_visits(p_qualifying text, p_target regclass, p_fetch bigint)
returns bigint
language plpgsql volatile
set search_path from current
set random_page_cost = 0.1
set seq_page_cost = 0.1
set jit = off
as $$
declare
    v_vectors real := (select c.reltuples from pg_class c where c.oid = p_target);
    v_plan    json;
    v_rows    real;
    v_visits  real;
begin
    if v_vectors <= 0 then
        v_vectors := evervec.estimated_rows(p_target);
    end if;
    execute 'explain (format json) ' || p_qualifying into v_plan;
    v_rows := greatest((v_plan #>> '{0,Plan,Plan Rows}')::real, 1);
    v_visits := greatest(2 * p_fetch, coalesce(current_setting('hnsw.ef_search', true), '40')::bigint) * greatest(v_vectors / v_rows, 1);
    return case when (v_plan #>> '{0,Plan,Total Cost}')::real + 0.4 * v_rows > v_visits then least(v_visits, 1e9) end;
end
$$;

comment on function evervec.index_visits(text, regclass, bigint) is
$$Internal. p_qualifying: a query for the rows that qualify; p_fetch: how many of them are wanted. NULL: search exactly.$$;

revoke execute on function evervec.index_visits(text, regclass, bigint) from public;

-- file: functions/track/create_search_functions.sql
-- create_search_functions: all functions by which a source is searched, those of its filters included.
--
-- Locks:  none that matter.
-- Raises: VE210 a filter's condition is none over a row of the source any more · 2BP01 as create_search
create or replace function evervec.create_search_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
begin
    perform evervec.create_search_function(p_source);
    perform evervec.create_similar_functions(p_source);
    if p_source.text_search is not null then
        perform evervec.create_hybrid_function(p_source);
    end if;
    perform evervec.create_filter_functions(p_source, f) from evervec.filter f where f.source_id = p_source.source_id;
end
$$;

comment on function evervec.create_search_functions(evervec.source) is
$$Internal. Creates or replaces nearest_<source>, find_similar_<source>, similar_<source>, hybrid_search_<source> where it keeps words, and those of its filters. Raises VE210, 2BP01.$$;

revoke execute on function evervec.create_search_functions(evervec.source) from public;

-- file: functions/search/keep_effort.sql
-- keep_effort: the effort that tune has found becomes that of all searches of the source; NULL: the default again.
--
-- Locks:  the source's row.
-- Raises: VE101 unknown source · VE210, 2BP01 as create_search_functions
-- needs: functions/track/create_search_functions.sql
create or replace function evervec.keep_effort(p_source text, p_effort integer)
returns void
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    update evervec.source s
       set search_effort = p_effort
     where s.source_id = v_source.source_id and s.search_effort is distinct from p_effort
    returning * into v_source;
    if found and v_source.state <> 'suspended' then
        perform evervec.create_search_functions(v_source);
        -- More effort may find other rows.
        perform evervec.note_change(v_source.source_id);
    end if;
end
$$;

comment on function evervec.keep_effort(text, integer) is
$$Internal. Stores evervec.source.search_effort and writes the search functions anew. Raises VE101, VE210, 2BP01.$$;

revoke execute on function evervec.keep_effort(text, integer) from public;

-- file: functions/search/may_search_exactly.sql
-- may_search_exactly: whether a search whose index scan fell short may read everything; warns where it may not.
--
-- Locks:  none.
-- Raises: VE211 (a WARNING) the answer may lack rows
create or replace function evervec.may_search_exactly(p_found bigint, p_wanted bigint)
returns boolean
language plpgsql stable
set search_path from current
as $$
begin
    if coalesce(nullif(current_setting('evervec.exact_search', true), '')::boolean, true) then
        return true;
    end if;
    raise warning using
        errcode = 'VE211',
        message = format('the index gave %s of %s rows, and there may be more', p_found, p_wanted),
        detail  = format('Its scan ends after hnsw.max_scan_tuples (%s) vectors, or with its memory, and evervec.exact_search is off.',
                         current_setting('hnsw.max_scan_tuples', true)),
        hint    = 'SET evervec.exact_search = on; or raise hnsw.max_scan_tuples and hnsw.scan_mem_multiplier.';
    return false;
end
$$;

comment on function evervec.may_search_exactly(bigint, bigint) is
$$Internal. True, unless evervec.exact_search is off: then false, with the warning VE211.$$;

revoke execute on function evervec.may_search_exactly(bigint, bigint) from public;

-- file: functions/search/recall_queries.sql
-- recall_queries: the queries by which the recall of a source's searches is measured, for callers who may not read evervec's tables.
--
-- They are the caller's to execute: nothing of evervec reads vectors with other rights than those of whoever searches.
-- The neighbours by which the noise is measured are those that a search finds: good enough for a scale.
-- Effort is what hnsw.ef_search or ivfflat.probes is set to. That of hnsw is lifted to as many rows as the index is asked for, so less makes no
-- difference; there are no more probes than lists.
-- Locks:  none.
-- Raises: VE101 unknown source
-- needs: functions/search/comparison.sql
-- needs: functions/search/list_probes.sql
create or replace function evervec.recall_queries(
    p_source         text,
    p_limit          integer,
    out sample       text,
    out noisy        text,
    out exact_search text,
    out search       text,
    out index_scans  text,
    out least_effort integer,
    out plain_effort integer,
    out most_effort  integer,
    out effort       integer
)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source   evervec.source := evervec.source_named(p_source);
    v_vector   text := format('e.%I', v_source.vector_column);
    v_compared record := evervec.comparison(v_source, v_source.search_precision, v_vector, '$1');
    v_target   text := evervec.qualified_name(v_source.target);
    -- Of one length, where length does not count.
    v_scaled   text := case v_source.distance when 'cosine' then 'l2_normalize(%s::vector)' else '%s::vector' end;
begin
    sample := format(
        $sql$
        select array_agg(s.row_key), array_agg(s.embedding)
          from (select %s as row_key, %s::vector as embedding from %s e where %s order by random() limit $1) s
        $sql$,
        evervec.key_call(v_source, 'e', true), v_vector, v_target,
        case v_source.distance when 'cosine' then format('vector_norm(%s::vector) > 0', v_vector) else v_vector || ' is not null' end);
    noisy := format(
        $sql$
        select case when r.reach > 0 then %1$s + l2_normalize(n.noise) * array_fill((r.reach * $3)::real, array[vector_dims($1)])::vector else $1 end
          from (select max(l2_distance(%1$s, %2$s))
                  from (select s.row_key from evervec.%3$I($1, $2 + 1) s) k (row_key)
                  join %4$s e on %5$s) r (reach)
         cross join (select array_agg(random() - 0.5)::vector from generate_series(1, vector_dims($1))) n (noise)
        $sql$,
        format(v_scaled, '$1'), format(v_scaled, v_vector), 'similar_' || v_source.name, v_target, evervec.key_match(v_source, 'e', true));
    -- + 0, or an index would answer. One more than is wanted, because the row itself does not count.
    exact_search := format(
        $sql$
        select array(
            select n.distance
              from (
                select %1$s, (%2$s)::real as distance from %3$s e where %4$s is not null order by (%2$s) + 0 limit $3 + 1
              ) n
             where %5$s <> $2 and n.distance <> 'NaN'
             order by n.distance
             limit $3)
        $sql$,
        evervec.key_list(v_source, 'e', true), v_compared.distance, v_target, v_vector, evervec.key_call(v_source, 'n', true));
    search := format('select array(select n.distance from evervec.%I($1, $3 + 1) n where n.row_key <> $2)', 'similar_' || v_source.name);
    select case when bool_or(true) then format(
               'select sum(pg_stat_get_xact_numscans(x.index)) from unnest(%L::oid[]) as x (index)', array_agg(t.index)) end,
           coalesce(max(coalesce(substring(c.reloptions::text from 'lists=(\d+)')::integer, 100)) filter (where v_source.search_method = 'ivfflat'), 1000)
      into index_scans, most_effort
      from evervec.vector_indexes(v_source) x
      join pg_class c on c.oid = x.index and x.valid
      cross join lateral (select x.index::oid as index union select t.relid from pg_partition_tree(x.index) t) t;
    least_effort := case v_source.search_method when 'ivfflat' then 1 else least(p_limit::bigint * v_compared.pool, most_effort) end;
    plain_effort := least(most_effort, greatest(
        least_effort, case v_source.search_method when 'ivfflat' then evervec.list_probes(v_source.target) else 100 end));
    effort := coalesce(
        nullif(current_setting('evervec.search_effort', true), '')::integer, v_source.search_effort,
        case v_source.search_method when 'ivfflat' then greatest(current_setting('ivfflat.probes', true)::integer, evervec.list_probes(v_source.target))
                                    else greatest(current_setting('hnsw.ef_search', true)::integer, 100) end);
end
$$;

comment on function evervec.recall_queries(text, integer) is
$$Internal. Texts of queries: sample ($1 how many: arrays of row_keys and their vectors), noisy ($1 a vector, $2 how many neighbours, $3 by how many times their distance it is moved: the vector moved), exact_search and search ($1 the vector, $2 the row_key of the row itself, $3 how many rows: an array of distances), index_scans (how often this transaction has scanned the indexes; NULL: there is none); the least and the greatest effort that make a difference, that of searches where nobody has said, and that of searches now. Raises VE101.$$;

revoke execute on function evervec.recall_queries(text, integer) from public;

-- file: functions/search/measure_recall.sql
-- measure_recall: how much of what is nearest the searches of a source find, and how fast, with one effort or several.
--
-- Sampled rows are the queries, each without itself, and moved by noise: a graph leads to its own rows far more surely than to what is not in it, and
-- what users look for is not in it (`make bench NAME=index` has queries that are not). What counts is distance: a row is right when it is no farther than the last of those
-- that an exact search gives, so that of rows at the same distance each is as good as the other. All efforts are asked the same, by the
-- function through which everybody searches. Asked twice, and timed the second time: what was read from disk the first time is in
-- memory then. STABLE, so that all of it sees the same rows.
--
-- p_efforts: those to measure (NULL among them: as searches are now); NULL: by doubling from the least that makes a difference, up to the
-- greatest; or, with p_target, from what searches take where nobody has said until it is reached, and then the least that reaches it in between.
-- reached: by more than the standard error of the mean, so that another sample would hardly say otherwise.
-- indexed: whether searches asked an index at all; few vectors are searched exactly, and then no effort is of any effect.
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE111 a number out of its range
-- needs: functions/search/recall_queries.sql
create or replace function evervec.measure_recall(
    p_source  text,
    p_samples integer,
    p_limit   integer,
    p_noise   double precision,
    p_efforts integer[] default null,
    p_target  double precision default null
)
returns table (
    effort       integer,
    samples      integer,
    recall       real,
    p50_ms       real,
    p95_ms       real,
    exact_p50_ms real,
    exact_p95_ms real,
    indexed      boolean,
    reached      boolean
)
language plpgsql stable
set search_path from current
as $$
declare
    v_former   text := coalesce(current_setting('evervec.search_effort', true), '');
    v_queries  record;
    v_row_keys jsonb[];
    v_vectors  vector[];
    v_vector   vector;
    v_exact    real[];
    v_found    real[];
    -- Of each sample: distance of the last that is right, and how many there are.
    v_bounds   real[];
    v_wanted   integer[];
    v_recalls  double precision[];
    v_ms       double precision[];
    v_began    timestamptz;
    v_scans    bigint;
    v_after    bigint;
    v_number   integer := 1;
    -- The greatest effort that was too little, and the least that was enough.
    v_low      integer;
    v_high     integer;
    v_recall   double precision;
    v_error    double precision;
begin
    if p_samples between 1 and 10000 is not true then
        perform evervec.check_option('p_samples', p_samples::text, array['a whole number from 1 to 10000']);
    elsif p_limit between 1 and 1000 is not true then
        perform evervec.check_option('p_limit', p_limit::text, array['a whole number from 1 to 1000']);
    elsif p_noise between 0 and 100 is not true then
        perform evervec.check_option('p_noise', p_noise::text, array['a number from 0 to 100']);
    end if;
    select * into v_queries from evervec.recall_queries(p_source, p_limit);
    foreach effort in array coalesce(p_efforts, array[]::integer[]) loop
        if effort not between 1 and v_queries.most_effort then
            perform evervec.check_option('p_effort', effort::text, array[format('a whole number from 1 to %s', v_queries.most_effort)]);
        end if;
    end loop;

    execute v_queries.sample into v_row_keys, v_vectors using p_samples;
    samples := coalesce(cardinality(v_row_keys), 0);
    for v_sample in 1 .. samples loop
        if p_noise > 0 then
            execute v_queries.noisy into v_vector using v_vectors[v_sample], p_limit, p_noise;
            v_vectors[v_sample] := v_vector;
        end if;
        v_began := clock_timestamp();
        execute v_queries.exact_search into v_exact using v_vectors[v_sample], v_row_keys[v_sample], p_limit;
        v_ms[v_sample] := extract(epoch from clock_timestamp() - v_began) * 1000;
        v_wanted[v_sample] := cardinality(v_exact);
        v_bounds[v_sample] := v_exact[cardinality(v_exact)];
    end loop;
    select percentile_cont(0.5) within group (order by m.ms), percentile_cont(0.95) within group (order by m.ms)
      into exact_p50_ms, exact_p95_ms
      from unnest(v_ms) as m (ms);

    effort := coalesce(p_efforts[1], case when p_efforts is not null then v_queries.effort when p_target is null then v_queries.least_effort
                                          else v_queries.plain_effort end);
    loop
        perform set_config('evervec.search_effort', effort::text, true);
        execute coalesce(v_queries.index_scans, 'select 0') into v_scans;
        v_recalls := array[]::double precision[];
        v_ms := array[]::double precision[];
        for v_sample in 1 .. 2 * samples loop
            v_began := clock_timestamp();
            execute v_queries.search into v_found
            using v_vectors[(v_sample - 1) % samples + 1], v_row_keys[(v_sample - 1) % samples + 1], p_limit;
            if v_sample > samples then
                v_ms := v_ms || extract(epoch from clock_timestamp() - v_began)::double precision * 1000;
            elsif v_wanted[v_sample] > 0 then
                v_recalls := v_recalls || (
                    select least(count(*), v_wanted[v_sample])::double precision / v_wanted[v_sample]
                      from unnest(v_found) as f (distance)
                     where f.distance <= v_bounds[v_sample]);
            end if;
        end loop;
        perform set_config('evervec.search_effort', v_former, true);
        execute coalesce(v_queries.index_scans, 'select 0') into v_after;
        select avg(r.recall), coalesce(stddev_samp(r.recall) / sqrt(count(*)), 0) into v_recall, v_error from unnest(v_recalls) as r (recall);
        select percentile_cont(0.5) within group (order by m.ms), percentile_cont(0.95) within group (order by m.ms)
          into p50_ms, p95_ms
          from unnest(v_ms) as m (ms);
        indexed := coalesce(v_after > v_scans, false);
        recall := v_recall;
        reached := v_recall - v_error >= p_target - 1e-9;
        return next;

        if p_efforts is not null then
            exit when v_number = cardinality(p_efforts);
            v_number := v_number + 1;
            effort := coalesce(p_efforts[v_number], v_queries.effort);
        else
            -- Exact with the least effort, and so with every one. With more, it may become so: with a target, that is what reaches it.
            exit when not indexed and (v_low is null or p_target is null);
            if reached then
                v_high := effort;
            else
                v_low := effort;
            end if;
            exit when v_high - coalesce(v_low, v_high - 1) <= 1 or v_low = v_queries.most_effort;
            effort := case when v_high is null then least(2 * effort, v_queries.most_effort) else (v_low + v_high) / 2 end;
        end if;
    end loop;
end
$$;

comment on function evervec.measure_recall(text, integer, integer, double precision, integer[], double precision) is
$$Internal. One row an effort: recall, time of searches and of exact ones at the median and the 95th percentile, whether an index was asked, and whether the recall is p_target or more by its standard error. Raises VE101, VE111.$$;

revoke execute on function evervec.measure_recall(text, integer, integer, double precision, integer[], double precision) from public;

-- file: functions/search/near_duplicates.sql
-- near_duplicates: pairs of rows of a source that are more alike than a threshold, slice by slice.
--
-- Runs as the caller, so that the privileges and policies on the embedding table hold. One search a row, through the index.
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE202 bad row_key · VE204 bad threshold or limit
-- needs: functions/search/duplicates_of.sql
create or replace function evervec.near_duplicates(
    p_source     text,
    p_threshold  real default 0.95,
    p_after      jsonb default null,
    p_limit      integer default 1000,
    p_neighbours integer default 50
)
returns table (row_key jsonb, other_key jsonb, similarity real, distance real)
language plpgsql stable
set search_path from current
as $$
declare
    v_search  record;
    v_ef      text := coalesce(current_setting('hnsw.ef_search', true), '40');
    v_iterate text := coalesce(current_setting('hnsw.iterative_scan', true), 'off');
    v_probes  text := coalesce(current_setting('ivfflat.probes', true), '1');
begin
    select * into v_search from evervec.duplicates_of(p_source, p_after);
    if p_threshold is null or p_threshold = 'NaN' or coalesce(p_limit, 0) < 1 or coalesce(p_neighbours, 0) < 1 then
        raise exception using
            errcode = 'VE204', message = 'near_duplicates needs a threshold, and limits of 1 or more',
            detail  = format('p_threshold is %s, p_limit is %s, p_neighbours is %s.', coalesce(p_threshold::text, 'NULL'),
                             coalesce(p_limit::text, 'NULL'), coalesce(p_neighbours::text, 'NULL')),
            hint    = 'For example: SELECT * FROM evervec.near_duplicates(''film'', 0.95, p_limit => 1000);';
    end if;

    -- The row itself is the nearest of its neighbours.
    perform set_config('hnsw.ef_search', least(greatest((p_neighbours::bigint + 1) * v_search.pool, v_ef::integer), 1000)::text, true);
    perform set_config('ivfflat.probes', greatest(v_search.probes, v_probes::integer)::text, true);
    perform set_config('hnsw.iterative_scan', 'strict_order', true);
    return query
    execute 'select * from (' || v_search.query || ') d (row_key, other_key, similarity, distance) '
            'order by d.other_key is null, d.row_key, d.distance, d.other_key'
    using v_search.after, p_limit, p_neighbours::bigint + 1, p_threshold;
    perform set_config('hnsw.iterative_scan', v_iterate, true);
    perform set_config('hnsw.ef_search', v_ef, true);
    perform set_config('ivfflat.probes', v_probes, true);
end
$$;

comment on function evervec.near_duplicates(text, real, jsonb, integer, integer) is
$$Pairs of rows that are at least as similar as p_threshold, each pair once, for the rows of one slice in key order. p_threshold: in terms of similarity, as find_similar gives it; default 0.95. p_after: the key behind which the slice begins; NULL: at the first row. p_limit: how many rows the slice looks at. p_neighbours: how many of the nearest rows are compared with each: of a row with more duplicates, the others are left out. Where the slice was full, a last row has other_key NULL and row_key to give as p_after next; without that row, all is done. Runs with the caller's privileges. Raises VE101, VE202, VE204.$$;

revoke execute on function evervec.near_duplicates(text, real, jsonb, integer, integer) from public;

-- file: functions/search/parse_key.sql
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

-- file: functions/search/query_limit.sql
-- query_limit: the limit of a search, once its arguments are known to be good.
--
-- Locks:  none.
-- Raises: VE201 NULL query or wrong number of dimensions · VE204 negative or NULL limit
create or replace function evervec.query_limit(p_query vector, p_dimensions integer, p_limit integer)
returns integer
language plpgsql stable
set search_path from current
as $$
begin
    if p_query is null then
        raise exception using
            errcode = 'VE201', message = 'the query vector is NULL',
            detail  = format('A vector of %s dimensions is expected.', p_dimensions),
            hint    = 'Embed the query with the model of the source first; a subquery that finds no row gives NULL.';
    elsif vector_dims(p_query) <> p_dimensions then
        raise exception using
            errcode = 'VE201',
            message = format('the query vector has %s dimensions, not %s', vector_dims(p_query), p_dimensions),
            detail  = 'Query and source must be embedded with the same model.',
            hint    = 'Embed the query with the model that evervec.get_source() names.';
    elsif p_limit is null or p_limit < 0 then
        raise exception using
            errcode = 'VE204', message = format('a limit of %s makes no sense', coalesce(p_limit::text, 'NULL')),
            detail  = 'p_limit is the number of rows that a search returns at most.',
            hint    = 'Give a limit of 0 or more.';
    end if;
    return p_limit;
end
$$;

comment on function evervec.query_limit(vector, integer, integer) is
$$Internal. Returns p_limit; raises VE201 or VE204 when the arguments of a search are not good.$$;

revoke execute on function evervec.query_limit(vector, integer, integer) from public;

-- file: functions/search/query_of.sql
-- query_of: the query vector of the words of a search: from the cache of queries, or by the webhook.
--
-- The words of a search are not embedded in the database: no transaction is open while the network is. It asks the webhook where
-- configure_push has allowed that; not for evervec's own programs, which ask the provider themselves, and of which the webhook is one.
-- Locks:  none.
-- Raises: VE101 unknown source · VE207 the vector is not known · VE218 no words · VE424 the webhook gives no vector
-- needs: functions/cache/cached_query.sql
-- needs: functions/push/embed_by_service.sql
create or replace function evervec.query_of(p_source text, p_text text)
returns vector
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_model  text := (select m.name from evervec.model m where m.model_id = v_source.model_id);
    v_query  vector;
begin
    perform evervec.check_words(p_text);
    v_query := evervec.cached_query(v_model, p_text);
    if v_query is null and not starts_with(current_setting('application_name'), 'evervec') and exists (select from evervec.push p where p.search) then
        return evervec.embed_by_service(v_model, p_text);
    end if;
    if v_query is null then
        raise exception using
            errcode = 'VE207',
            message = format('the vector of these words is not known to model "%s"', v_model),
            detail  = 'The database does not ask the model itself; nobody has searched for these words with this model within the time that the setting query_cache_keep says.',
            hint    = format('Search by "evervec search %s …" or by evervec.Search in Python, which ask the model and keep the vector for the next search of these words; or embed them yourself, SELECT evervec.cache_query(%L, …, …); and search again, or give the vector to evervec.find_similar(). configure_push(…, p_search => true) lets the database ask the webhook.',
                             p_source, v_model);
    end if;
    return v_query;
end
$$;

comment on function evervec.query_of(text, text) is
$$Internal. The vector of the words of a search. Raises VE101, VE207, VE218, VE424.$$;

revoke execute on function evervec.query_of(text, text) from public;

-- file: functions/search/recall_check.sql
-- recall_check: how much of what is really nearest the searches of a source find, measured on its own rows.
--
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE111 a number out of its range
-- needs: functions/search/measure_recall.sql
create or replace function evervec.recall_check(
    p_source  text,
    p_samples integer default 100,
    p_limit   integer default 10,
    p_effort  integer default null,
    p_noise   double precision default 2
)
returns table (effort integer, samples integer, recall real, p50_ms real, p95_ms real, exact_p50_ms real, exact_p95_ms real)
language sql stable
set search_path from current
as $$
    select case when m.indexed then m.effort end, m.samples, m.recall, m.p50_ms, m.p95_ms, m.exact_p50_ms, m.exact_p95_ms
      from evervec.measure_recall(p_source, p_samples, p_limit, p_noise, array[p_effort]) m
$$;

comment on function evervec.recall_check(text, integer, integer, integer, double precision) is
$$How many of the nearest rows a search of the source finds, from 0 to 1, and how long it takes, against exact search. The vectors of p_samples (default 100, at most 10,000) rows, chosen at random, are the queries, each moved at random as far as p_noise (default 2) times the distance to its neighbours, as what users look for is not among the rows either, and is found less surely; 0: the rows themselves; each asks for its p_limit (default 10, at most 1,000) nearest others, by the function that find_similar calls; a row no farther than the last right one counts as right. p_effort: hnsw.ef_search or ivfflat.probes for the time of the call; NULL: as searches are now. effort: what was measured, NULL where searches asked no index, because there is none or so few vectors that reading all is as fast. samples: fewer where there are fewer vectors; without any the rest is NULL. p50_ms, p95_ms, exact_p50_ms, exact_p95_ms: milliseconds that half of the searches, or 95 of 100, took at most, within the server and with data in memory. Reads all vectors once a sample. Runs with the caller's privileges. Raises VE101, VE111.$$;

revoke execute on function evervec.recall_check(text, integer, integer, integer, double precision) from public;

-- file: functions/search/render_rows.sql
-- render_rows: the texts of some rows as the recipe makes them now.
--
-- Locks:  ACCESS SHARE on what the recipe reads.
-- Raises: VE101 unknown source · VE202 bad row_key
create or replace function evervec.render_rows(p_source text, p_row_keys jsonb[])
returns table (row_key jsonb, content text)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_keys   jsonb[] := array(select evervec.check_row_key(v_source, k.row_key)
                                from unnest(p_row_keys) with ordinality as k (row_key, ordinality) order by k.ordinality);
begin
    return query execute format('select ($1)[r.ordinal], r.content from evervec.%I($1, null) r order by r.ordinal', 'render_' || v_source.name)
    using v_keys;
end
$$;

comment on function evervec.render_rows(text, jsonb[]) is
$$The texts of rows by key, in the order of p_row_keys; NULL where a row is gone or has no text. Raises VE101, VE202.$$;

revoke execute on function evervec.render_rows(text, jsonb[]) from public;

-- file: functions/search/render.sql
-- render: the text of a row as the recipe makes it now; NULL when it has none.
--
-- Locks:  ACCESS SHARE on what the recipe reads.
-- Raises: VE101 unknown source · VE202 bad row_key
-- needs: functions/search/render_rows.sql
create or replace function evervec.render(p_source text, p_row_key jsonb)
returns text
language sql stable
set search_path from current
as $$
    select r.content from evervec.render_rows(p_source, array[p_row_key]) r
$$;

comment on function evervec.render(text, jsonb) is
$$The text of one row as it would be embedded now; NULL when the row is gone or has no text. Raises VE101, VE202.$$;

revoke execute on function evervec.render(text, jsonb) from public;

-- file: functions/search/search.sql
-- search: the rows of a source nearest in meaning to some words, whose vector is known; what was found last time, while nothing has changed.
--
-- Runs as the caller, what is kept of a former search too: its rows are read again, so that privileges hold and no row is given whose
-- vector went. The snapshot is taken before the search, which so has seen no less than it.
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE201 bad query vector · VE204 bad limit or threshold · VE207 the vector of the words is not known ·
--         VE211 (a WARNING) rows may be missing · VE218 no words · VE424 the webhook gives no vector
create or replace function evervec.search(
    p_source         text,
    p_text           text,
    p_limit          integer default 10,
    p_min_similarity real default null,
    p_exclude        jsonb[] default '{}'
)
returns table (row_key jsonb, similarity real, distance real)
language plpgsql
set search_path from current
as $$
declare
    v_query vector := evervec.query_of(p_source, p_text);
    v_seen  pg_snapshot;
    v_found record;
begin
    select * into v_found
      from evervec.known_result(p_source, v_query, p_limit, p_min_similarity, p_exclude, current_user);
    if v_found.row_keys is not null then
        return query execute v_found.query using v_found.row_keys, v_found.similarities, v_found.distances;
        if found or v_found.row_keys = '{}' then
            return;
        end if;
    end if;

    v_seen := pg_current_snapshot();
    select coalesce(array_agg(f.row_key order by f.ordinality), '{}') as row_keys,
           coalesce(array_agg(f.similarity order by f.ordinality), '{}') as similarities,
           coalesce(array_agg(f.distance order by f.ordinality), '{}') as distances
      into v_found
      from evervec.find_similar(p_source, v_query, p_limit, p_min_similarity, p_exclude) with ordinality as f;
    perform evervec.keep_result(p_source, v_query, p_limit, p_min_similarity, p_exclude, current_user, v_seen,
                                v_found.row_keys, v_found.similarities, v_found.distances);
    return query select f.* from unnest(v_found.row_keys, v_found.similarities, v_found.distances) as f;
end
$$;

comment on function evervec.search(text, text, integer, real, jsonb[]) is
$$Rows of a source nearest in meaning to p_text, nearest first. The vector of the words must be known (see cached_query), as it is for a day after evervec search, evervec.Search in Python or cache_query, unless the webhook may be asked for it (configure_push). p_limit, p_min_similarity, p_exclude and the result: as find_similar. What is found is kept for the same search by the same caller, for 24 hours (setting search_cache_keep) while no vector of the source is stored, except under row-level security, in read-only transactions and in those that are REPEATABLE READ or SERIALIZABLE. Runs with the caller's privileges. Raises VE101, VE201, VE204, VE207, VE218, VE424; warns with VE211 as find_similar.$$;

revoke execute on function evervec.search(text, text, integer, real, jsonb[]) from public;

-- file: functions/search/search_size.sql
-- search_size: how many rows the nearest-n step of a search fetches, once its arguments are known to be good.
--
-- With diversity there must be something to choose from: four times what is wanted, but no more than 1,000 beyond it.
-- Locks:  none.
-- Raises: VE201 bad query vector · VE204 bad limit, threshold or diversity
create or replace function evervec.search_size(
    p_query          vector,
    p_dimensions     integer,
    p_distance       text,
    p_limit          integer,
    p_min_similarity real,
    p_diversity      real
)
returns bigint
language plpgsql stable
set search_path from current
as $$
begin
    perform evervec.query_limit(p_query, p_dimensions, p_limit);
    if p_distance = 'cosine' and vector_norm(p_query) = 0 then
        raise exception using
            errcode = 'VE201', message = 'the query vector is zero, which has no direction and so no cosine distance',
            detail  = 'The source compares vectors by cosine.',
            hint    = 'Embed the query with the model of the source.';
    elsif p_min_similarity = 'NaN' then
        raise exception using
            errcode = 'VE204', message = 'a minimum similarity of NaN makes no sense',
            detail  = 'p_min_similarity is compared with the similarity of every row.',
            hint    = 'Give a number, or NULL for no threshold.';
    elsif not p_diversity between 0 and 1 then
        raise exception using
            errcode = 'VE204', message = format('a diversity of %s makes no sense', p_diversity),
            detail  = 'p_diversity is the weight of being unlike the rows before, from 0 to 1.',
            hint    = 'Give a number from 0 to 1, or NULL for the nearest rows as they are.';
    end if;
    return case when p_diversity is null then p_limit else least(p_limit * 4::bigint, p_limit + 1000::bigint) end;
end
$$;

comment on function evervec.search_size(vector, integer, text, integer, real, real) is
$$Internal. The number of rows to fetch for a search; raises VE201 or VE204 when its arguments are not good.$$;

revoke execute on function evervec.search_size(vector, integer, text, integer, real, real) from public;

-- file: functions/search/tune.sql
-- tune: finds the least effort with which the searches of a source find as much as is wanted, and has them use it from now on.
--
-- Never less than what searches take anyway: even noise leaves rows as queries easier than what is not among them (`make bench NAME=index`), and an
-- effort of 10 may look like enough.
-- Nothing is stored where the greatest effort is not enough: that would make every search slow, and still miss rows.
-- Measuring is done with the caller's rights, keeping the result with those of evervec's owner.
-- Locks:  ACCESS SHARE on the embedding table; the source's row at the end.
-- Raises: VE101 unknown source · VE111 a number out of its range · VE210, 2BP01 as create_search_functions · VE221 the recall is not reached
-- needs: functions/search/keep_effort.sql
-- needs: functions/search/measure_recall.sql
create or replace function evervec.tune(
    p_source        text,
    p_target_recall double precision default 0.95,
    p_samples       integer default 100,
    p_limit         integer default 10,
    p_noise         double precision default 2
)
returns table (effort integer, recall real, p50_ms real, p95_ms real, chosen boolean)
language plpgsql
set search_path from current
as $$
declare
    v_efforts integer[];
    v_recalls real[];
    v_p50     real[];
    v_p95     real[];
    v_indexed boolean;
    v_chosen  integer;
begin
    if p_target_recall is null then
        perform evervec.keep_effort(p_source, null);
        return;
    elsif not (p_target_recall > 0 and p_target_recall <= 1) then
        perform evervec.check_option('p_target_recall', p_target_recall::text, array['a number above 0, up to 1', 'NULL for the default effort again']);
    end if;
    select array_agg(m.effort order by m.effort), array_agg(m.recall order by m.effort), array_agg(m.p50_ms order by m.effort),
           array_agg(m.p95_ms order by m.effort), bool_or(m.indexed), min(m.effort) filter (where m.reached)
      into v_efforts, v_recalls, v_p50, v_p95, v_indexed, v_chosen
      from evervec.measure_recall(p_source, p_samples, p_limit, p_noise, p_target => p_target_recall) m;
    if v_indexed and v_chosen is null then
        raise exception using
            errcode = 'VE221',
            message = format('searches of "%s" do not reach a recall of %s', p_source, p_target_recall),
            detail  = format('The greatest effort, %s, finds %s, in %s ms. Nothing was changed.', v_efforts[cardinality(v_efforts)],
                             round(v_recalls[cardinality(v_recalls)]::numeric, 4), round(v_p50[cardinality(v_p50)]::numeric, 1)),
            hint    = evervec.better_index(p_source);
    elsif v_indexed then
        perform evervec.keep_effort(p_source, v_chosen);
    end if;
    return query
    select case when v_indexed then m.effort end, m.recall, m.p50_ms, m.p95_ms, v_indexed and m.effort = v_chosen
      from unnest(v_efforts, v_recalls, v_p50, v_p95) as m (effort, recall, p50_ms, p95_ms)
     order by m.effort;
end
$$;

comment on function evervec.tune(text, double precision, integer, integer, double precision) is
$$Finds the least hnsw.ef_search, or ivfflat.probes, with which searches of the source find at least p_target_recall (default 0.95) of the p_limit (default 10) nearest rows, as recall_check measures it on p_samples (default 100) rows with p_noise (default 2), by doubling and halving, from the default effort up; and stores it: from then on all search functions of the source set it, except nearest_<source>. By more than the standard error, so that another sample hardly finds less: a greater p_samples gets closer. The setting evervec.search_effort of a session goes before it. p_target_recall => NULL puts the default back. Returns what was measured, by effort; chosen: that one is stored. Where searches ask no index, because there is none or few vectors, there is nothing to choose: effort is NULL, and what is stored stays. Takes as long as p_samples exact searches, and a little more. Measures with the caller's privileges. Raises VE101, VE111, VE210, VE221, 2BP01.$$;

revoke execute on function evervec.tune(text, double precision, integer, integer, double precision) from public;

-- file: functions/search/vector_lookup.sql
-- vector_lookup: the canonical key of a row and the query that fetches its vector, for callers who may not read evervec's tables.
--
-- Locks:  none.
-- Raises: VE101 unknown source · VE202 bad row_key
create or replace function evervec.vector_lookup(p_source text, p_row_key jsonb, out row_key jsonb, out query text)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    row_key := evervec.check_row_key(v_source, p_row_key);
    query := format('select e.%I from (select $1) as k (row_key) join %s e on %s', v_source.vector_column,
                    evervec.qualified_name(v_source.target), evervec.key_match(v_source, 'e', true));
end
$$;

comment on function evervec.vector_lookup(text, jsonb) is
$$Internal. The canonical row_key, and the text of the query over ($1 row_key) that fetches the row's vector. Raises VE101, VE202.$$;

revoke execute on function evervec.vector_lookup(text, jsonb) from public;

-- file: functions/search/words_of.sql
-- words_of: the words of a search as full text search looks them up; NULL where nothing is left that an index could find.
--
-- Locks:  none.
-- Raises: VE219 its text search configuration does not work
create or replace function evervec.words_of(p_text_search text, p_text text)
returns tsquery
language plpgsql stable
set search_path from current
set client_min_messages = warning
as $$
declare
    v_words tsquery;
begin
    -- Lines of dashes are no words that are excluded, and too many of those are too deep for PostgreSQL.
    v_words := websearch_to_tsquery(p_text_search::regconfig, regexp_replace(left(p_text, 10000) collate "default", '(-\s*){2,}', ' ', 'g'));
    return case when querytree(v_words) not in ('', 'T') then v_words end;
exception when undefined_object or internal_error then
    raise exception using
        errcode = 'VE219',
        message = format('text search configuration %s does not work: %s', p_text_search, sqlerrm),
        detail  = 'Vectors are stored and searched all the same.',
        hint    = 'Create it again, or call evervec.retrack with another p_text_search.';
end
$$;

comment on function evervec.words_of(text, text) is
$$Internal. websearch_to_tsquery of the first 10,000 characters; NULL for stop words alone, and for words that are all excluded. Raises VE219.$$;

revoke execute on function evervec.words_of(text, text) from public;

-- file: functions/storage/check_vectors.sql
-- check_vectors: refuses vectors that a source cannot hold, or that a search could never find.
--
-- Locks:  none.
-- Raises: VE201 NULL, wrong number of dimensions, zero under cosine distance, or too large for members of two bytes
create or replace function evervec.check_vectors(p_source evervec.source, p_embeddings vector[])
returns void
language plpgsql stable
set search_path from current
as $$
declare
    v_dimensions integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
    v_bad        record;
begin
    select u.ordinality, u.embedding is null as missing, vector_dims(u.embedding) as dimensions
      into v_bad
      from unnest(p_embeddings) with ordinality as u (embedding, ordinality)
     where u.embedding is null
        or vector_dims(u.embedding) <> v_dimensions
        or p_source.distance = 'cosine' and vector_norm(u.embedding) = 0
     order by u.ordinality
     limit 1;
    if found then
        raise exception using
            errcode = 'VE201',
            message = case
                when v_bad.missing then format('vector %s is NULL', v_bad.ordinality)
                when v_bad.dimensions <> v_dimensions
                then format('vector %s has %s dimensions, not %s', v_bad.ordinality, v_bad.dimensions, v_dimensions)
                else format('vector %s is zero, which has no direction and so no cosine distance', v_bad.ordinality) end,
            detail  = format('Source "%s" holds vectors of %s dimensions and compares them by %s. Nothing of this call was stored.',
                             p_source.name, v_dimensions, p_source.distance),
            hint    = 'Embed the row with the model of the source, which evervec.get_source() names.';
    end if;
    if 'half' in (p_source.index_precision, p_source.search_precision) or p_source.vector_type = 'halfvec' then
        perform u.embedding::halfvec from unnest(p_embeddings) as u (embedding);
    end if;
exception when numeric_value_out_of_range then
    raise exception using
        errcode = 'VE201', message = format('a vector has no place in two bytes a member: %s', sqlerrm),
        detail  = format('Source "%s" stores or indexes vectors with members of two bytes, from -65504 to 65504. Nothing of this call was stored.',
                         p_source.name),
        hint    = format('Scale the vectors; or SELECT evervec.retrack(%L, p_vector_type => ''vector'', p_precision => ''full''); where their dimensions allow.',
                         p_source.name);
end
$$;

comment on function evervec.check_vectors(evervec.source, vector[]) is
$$Internal. Raises VE201 for the first vector that the source cannot hold.$$;

revoke execute on function evervec.check_vectors(evervec.source, vector[]) from public;

-- file: functions/storage/create_manual_functions.sql
-- create_manual_functions: put_<source> and remove_<source>, through which an application brings and takes away its own vectors.
--
-- put_ waits for a user's transaction that holds a row, because a row that is being deleted must not get a vector; the caller sets
-- lock_timeout. Of several vectors for one row the last counts. erase_<source>, by which workers sweep, is written here once more:
-- nobody embeds a manual row anew, so a vector is swept only while its row is not there.
-- Locks:  none that matter; put_ takes rows of the source FOR KEY SHARE.
-- needs: functions/track/fragments.sql
create or replace function evervec.create_manual_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql  record;
    v_keys record;
begin
    select * into v_sql from evervec.fragments(p_source);
    select string_agg(format('s.%I as key_%s', c.name, c.ordinality), ', ' order by c.ordinality) as read,
           string_agg(format('l.key_%s', c.ordinality), ', ' order by c.ordinality) as written,
           evervec.key_list(p_source, null, true) as target
      into v_keys
      from unnest(p_source.key_columns) with ordinality as c (name, ordinality);
    perform evervec.create_row_function(
        p_source, 'put', 'p_row_keys jsonb[], p_embeddings vector[], p_metadata jsonb[], p_model_id integer', 'bigint', false,
        format(
            $body$
        declare
            v_rows bigint;
        begin
            with k as materialized (
                select u.row_key, u.embedding, u.metadata, u.ordinality
                  from unnest(p_row_keys, p_embeddings, p_metadata) with ordinality
                       as u (row_key, embedding, metadata, ordinality)
            ), locked as materialized (
                select k.embedding, k.metadata, k.ordinality, %1$s
                  from k
                  join %2$s s on %3$s
                   for key share of s
            ), written as (
                insert into %4$s (model_id, embedding, metadata, %5$s)
                select distinct on (%6$s) p_model_id, l.embedding, coalesce(l.metadata, '{}'), %6$s
                  from locked l
                 order by %6$s, l.ordinality desc
                on conflict (%5$s) do update
                   set model_id   = excluded.model_id,
                       embedding  = excluded.embedding,
                       metadata   = excluded.metadata,
                       updated_at = now()
            )
            select count(*) into v_rows from locked;
            return v_rows;
        end
            $body$,
            v_keys.read, v_sql.relation, evervec.key_match(p_source, 's', false), v_sql.target, v_keys.target, v_keys.written));
    perform evervec.create_row_function(
        p_source, 'remove', 'p_row_keys jsonb[]', 'bigint', false,
        format(
            $body$
        declare
            v_removed bigint;
        begin
            delete from %1$s e using unnest(p_row_keys) as k (row_key) where %2$s;
            get diagnostics v_removed = row_count;
            return v_removed;
        end
            $body$,
            v_sql.target, evervec.key_match(p_source, 'e', true)));
    perform evervec.create_row_function(
        p_source, 'erase', 'p_row_keys jsonb[]', 'integer[]', false,
        format(
            $body$
        begin
            delete from %1$s d
             where d.ctid in (
                select e.ctid
                  from unnest(p_row_keys) as k (row_key)
                  join %1$s e on %2$s
                 where not exists (select from %3$s s where %4$s)
                   for update of e skip locked);
            return array(
                select k.ordinality::integer
                  from unnest(p_row_keys) with ordinality as k (row_key, ordinality)
                 where exists (select from %1$s e where %2$s) and not exists (select from %3$s s where %4$s));
        end
            $body$,
            v_sql.target, evervec.key_match(p_source, 'e', true), v_sql.relation, evervec.key_match(p_source, 's', false)));
end
$$;

comment on function evervec.create_manual_functions(evervec.source) is
$$Internal. Creates or replaces put_<source>, remove_<source> and erase_<source> for manual storage.$$;

revoke execute on function evervec.create_manual_functions(evervec.source) from public;

-- file: functions/storage/delete_embeddings.sql
-- delete_embeddings: takes away vectors that the application brought.
--
-- Locks:  the vectors; waited for two seconds at most.
-- Raises: VE101 unknown source · VE202 bad row_key · VE205 not a manual source · VE213 row-level security applies to the caller · 55P03 a vector stays locked
create or replace function evervec.delete_embeddings(p_source text, p_row_keys jsonb[])
returns bigint
language plpgsql security definer
set search_path from current
set lock_timeout = '2s'
as $$
declare
    v_source  evervec.source := evervec.manual_source(p_source);
    v_keys    jsonb[] := array(select evervec.check_row_key(v_source, k) from unnest(p_row_keys) k);
    v_removed bigint;
begin
    perform evervec.check_sees_all(v_source);
    execute format('select evervec.%I($1)', 'remove_' || v_source.name) into v_removed using v_keys;
    return v_removed;
exception when lock_not_available then
    raise exception using
        errcode = 'lock_not_available',
        message = format('a vector of source "%s" stays locked', v_source.name),
        detail  = 'Another transaction holds it, and two seconds were not enough. Nothing of this call was done.',
        hint    = 'Call again when that transaction has ended; pg_blocking_pids() tells whose it is.';
end
$$;

comment on function evervec.delete_embeddings(text, jsonb[]) is
$$Removes the vectors of some rows of a manual source; returns how many there were. Raises VE101, VE202, VE205, VE213, 55P03.$$;

revoke execute on function evervec.delete_embeddings(text, jsonb[]) from public;

-- file: functions/storage/delete_embedding.sql
-- delete_embedding: takes away the vector that the application brought for one row.
--
-- Locks:  the vector; waited for two seconds at most.
-- Raises: VE101 unknown source · VE202 bad row_key · VE205 not a manual source · VE213 row-level security applies to the caller · 55P03 the vector stays locked
-- needs: functions/storage/delete_embeddings.sql
create or replace function evervec.delete_embedding(p_source text, p_row_key jsonb)
returns boolean
language sql security definer
set search_path from current
as $$
    select evervec.delete_embeddings(p_source, array[p_row_key]) > 0
$$;

comment on function evervec.delete_embedding(text, jsonb) is
$$Removes the vector of one row of a manual source; false when it had none. Raises VE101, VE202, VE205, VE213, 55P03.$$;

revoke execute on function evervec.delete_embedding(text, jsonb) from public;

-- file: functions/storage/vectors_lookup.sql
-- vectors_lookup: canonical keys and the query that fetches their vectors, for callers who may not read evervec's tables.
--
-- Locks:  none.
-- Raises: VE101 unknown source · VE202 bad row_key
create or replace function evervec.vectors_lookup(p_source text, p_row_keys jsonb[], out row_keys jsonb[], out query text)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_models jsonb := (select jsonb_object_agg(m.model_id, m.name) from evervec.model m);
begin
    row_keys := array(select evervec.check_row_key(v_source, k.row_key)
                        from unnest(p_row_keys) with ordinality as k (row_key, ordinality) order by k.ordinality);
    query := format(
        $sql$
        select k.row_key, e.%1$I::vector, %2$s, %3$s, e.%4$I
          from unnest($1) with ordinality as k (row_key, ordinality)
          join %5$s e on %6$s
         where e.%1$I is not null
         order by k.ordinality
        $sql$,
        v_source.vector_column,
        case v_source.storage when 'column' then format('e.%I::text', v_source.model_column)
                              else format('%L::jsonb ->> e.model_id::text', v_models) end,
        case v_source.storage when 'manual' then 'e.metadata' else '''{}''::jsonb' end,
        v_source.time_column, evervec.qualified_name(v_source.target), evervec.key_match(v_source, 'e', true));
end
$$;

comment on function evervec.vectors_lookup(text, jsonb[]) is
$$Internal. Canonical row_keys, and the text of the query over ($1 row_keys) that fetches vector, model, metadata and time. Raises VE101, VE202.$$;

revoke execute on function evervec.vectors_lookup(text, jsonb[]) from public;

-- file: functions/storage/get_embeddings.sql
-- get_embeddings: the vectors of some rows, of any storage.
--
-- Runs as the caller, so that the privileges and policies on the vectors' table hold.
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE202 bad row_key
-- needs: functions/storage/vectors_lookup.sql
create or replace function evervec.get_embeddings(p_source text, p_row_keys jsonb[])
returns table (row_key jsonb, embedding vector, model text, metadata jsonb, updated_at timestamptz)
language plpgsql stable
set search_path from current
as $$
declare
    v_lookup record;
begin
    select * into v_lookup from evervec.vectors_lookup(p_source, p_row_keys);
    return query execute v_lookup.query using v_lookup.row_keys;
end
$$;

comment on function evervec.get_embeddings(text, jsonb[]) is
$$The vectors of rows by key, in the order of p_row_keys: the model each is of, when it was written, and metadata (manual storage; otherwise {}). Rows without a vector are left out. Runs with the caller's privileges. Raises VE101, VE202.$$;

revoke execute on function evervec.get_embeddings(text, jsonb[]) from public;

-- file: functions/storage/get_embedding.sql
-- get_embedding: the vector of one row, of any storage; no row when it has none.
--
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE202 bad row_key
-- needs: functions/storage/get_embeddings.sql
create or replace function evervec.get_embedding(p_source text, p_row_key jsonb)
returns table (row_key jsonb, embedding vector, model text, metadata jsonb, updated_at timestamptz)
language sql stable
set search_path from current
as $$
    select g.row_key, g.embedding, g.model, g.metadata, g.updated_at from evervec.get_embeddings(p_source, array[p_row_key]) g
$$;

comment on function evervec.get_embedding(text, jsonb) is
$$The vector of one row, as get_embeddings gives it; no row when it has none. Raises VE101, VE202.$$;

revoke execute on function evervec.get_embedding(text, jsonb) from public;

-- file: functions/storage/manual_source.sql
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

-- file: functions/storage/put_embedding.sql
-- put_embedding: stores the application's own vector for one row of a manual source, which must be there.
--
-- Locks:  the row FOR KEY SHARE, its vector; to the end of the caller's transaction.
-- Raises: VE101 unknown source · VE108 unknown model · VE109 a model of other dimensions · VE111 metadata that is no object ·
--         VE201 bad vector · VE202 bad row_key · VE205 not a manual source · VE206 no such row ·
--         VE213 row-level security applies to the caller · 55P03 the row stays locked
create or replace function evervec.put_embedding(
    p_source    text,
    p_row_key   jsonb,
    p_embedding vector,
    p_model     text default null,
    p_metadata  jsonb default '{}'
)
returns void
language plpgsql security definer
set search_path from current
as $$
begin
    if evervec.put_embeddings(p_source, array[p_row_key], array[p_embedding], p_model, array[p_metadata]) = 0 then
        raise exception using
            errcode = 'VE206',
            message = format('source "%s" has no row %s', p_source, p_row_key),
            detail  = 'A vector belongs to a row of the tracked table; this one was not stored.',
            hint    = 'Insert the row first; the vector may follow in the same transaction.';
    end if;
end
$$;

comment on function evervec.put_embedding(text, jsonb, vector, text, jsonb) is
$$Stores a vector of yours for one row of a manual source, replacing a former one. p_model: whose vector it is; default: the source's model; another one must have as many dimensions. p_metadata: a JSON object kept with it. evervec never embeds the row and removes the vector with it. Waits two seconds at most for a locked row. Raises VE101, VE108, VE109, VE111, VE201, VE202, VE205, VE206, VE213, 55P03.$$;

revoke execute on function evervec.put_embedding(text, jsonb, vector, text, jsonb) from public;

-- file: functions/storage/put_embeddings.sql
-- put_embeddings: stores the application's own vectors for rows of a manual source.
--
-- Rows are held FOR KEY SHARE while their vectors are written, so that none outlives its row. What a transaction of somebody else
-- holds is waited for, two seconds at most.
-- Locks:  the rows FOR KEY SHARE, their vectors; to the end of the caller's transaction.
-- Raises: VE101 unknown source · VE108 unknown model · VE109 a model of other dimensions · VE111 lists of different lengths, or metadata
--         that is no object · VE201 bad vector · VE202 bad row_key · VE205 not a manual source · VE213 row-level security applies to the caller · 55P03 a row stays locked
create or replace function evervec.put_embeddings(
    p_source     text,
    p_row_keys   jsonb[],
    p_embeddings vector[],
    p_model      text default null,
    p_metadata   jsonb[] default null
)
returns bigint
language plpgsql security definer
set search_path from current
set lock_timeout = '2s'
as $$
declare
    v_source evervec.source := evervec.manual_source(p_source);
    v_own    evervec.model;
    v_model  evervec.model;
    v_keys   jsonb[];
    v_stored bigint;
begin
    perform evervec.check_sees_all(v_source);
    select * into v_own from evervec.model m where m.model_id = v_source.model_id;
    v_model := evervec.model_named(coalesce(p_model, v_own.name));
    if v_model.dimensions <> v_own.dimensions then
        raise exception using
            errcode = 'VE109',
            message = format('model "%s" does not fit source "%s"', v_model.name, v_source.name),
            detail  = format('Its vectors have %s dimensions, those of the source have %s.', v_model.dimensions, v_own.dimensions),
            hint    = format('Use model "%s", or another one of as many dimensions.', v_own.name);
    elsif cardinality(p_row_keys) is distinct from cardinality(p_embeddings)
          or cardinality(p_metadata) <> cardinality(p_row_keys) then
        raise exception using
            errcode = 'VE111', message = 'keys, vectors and metadata are not of the same number',
            detail  = format('p_row_keys has %s elements, p_embeddings %s, p_metadata %s.', coalesce(cardinality(p_row_keys), 0),
                             coalesce(cardinality(p_embeddings), 0), coalesce(cardinality(p_metadata), 0)),
            hint    = 'Give one vector for each key; p_metadata may be left out.';
    elsif exists (select from unnest(p_metadata) as m (value) where jsonb_typeof(m.value) <> 'object') then
        raise exception using
            errcode = 'VE111', message = 'metadata is not a JSON object',
            detail  = (select format('It is: %s', left(m.value::text, 200))
                         from unnest(p_metadata) as m (value) where jsonb_typeof(m.value) <> 'object' limit 1),
            hint    = 'For example: ''{"language": "en"}''.';
    end if;
    perform evervec.check_vectors(v_source, p_embeddings);
    v_keys := array(select evervec.check_row_key(v_source, k.row_key)
                      from unnest(p_row_keys) with ordinality as k (row_key, ordinality) order by k.ordinality);

    execute format('select evervec.%I($1, $2, $3, $4)', 'put_' || v_source.name)
    into v_stored
    using v_keys, p_embeddings, p_metadata, v_model.model_id;
    if v_stored > 0 then
        perform evervec.note_change(v_source.source_id);
    end if;
    return v_stored;
exception when lock_not_available then
    raise exception using
        errcode = 'lock_not_available',
        message = format('a row of source "%s" stays locked', v_source.name),
        detail  = 'Another transaction holds it, and two seconds were not enough. Nothing of this call was stored.',
        hint    = 'Call again when that transaction has ended; pg_blocking_pids() tells whose it is.';
end
$$;

comment on function evervec.put_embeddings(text, jsonb[], vector[], text, jsonb[]) is
$$Stores one vector of yours for each row_key of a manual source, replacing a former one, and returns for how many a row was there; keys without a row are passed over. p_model: whose vectors they are; default: the source's model; another one must have as many dimensions. p_metadata: a JSON object each. evervec never embeds these rows and removes their vectors with them. Waits two seconds at most for a locked row. Raises VE101, VE108, VE109, VE111, VE201, VE202, VE205, VE213, 55P03.$$;

revoke execute on function evervec.put_embeddings(text, jsonb[], vector[], text, jsonb[]) from public;

-- file: functions/track/act_as_owner.sql
-- act_as_owner: makes a generated function run with the rights of the owner of the source's table.
--
-- Recipes read the user's table, so they get its owner's rights and not more.
-- Locks:  none that matter.
create or replace function evervec.act_as_owner(p_source evervec.source, p_function regprocedure)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_owner regrole := (select c.relowner from pg_class c where c.oid = p_source.relation);
begin
    execute format('alter function %s security definer', p_function);
    execute format('revoke execute on function %s from public', p_function);
    if v_owner <> current_user::regrole then
        -- PostgreSQL wants the new owner to have CREATE on the schema at this moment, not afterwards.
        execute format('grant create on schema evervec to %s', v_owner);
        execute format('alter function %s owner to %s', p_function, v_owner);
        -- Afterwards: a change of owner turns the former owner's grants into the new one's.
        execute format('grant execute on function %s to current_user', p_function);
        execute format('revoke create on schema evervec from %s', v_owner);
        execute format('grant usage on schema evervec to %s', v_owner);
    end if;
end
$$;

comment on function evervec.act_as_owner(evervec.source, regprocedure) is
$$Internal. SECURITY DEFINER, owned by the owner of the source's table, executable by evervec's owner alone.$$;

revoke execute on function evervec.act_as_owner(evervec.source, regprocedure) from public;

-- file: functions/track/add_dependencies.sql
-- add_dependencies: checks p_depends_on and keeps it: which other tables a recipe reads, and how their rows lead to ours.
--
-- {"schema.link": "column"} or {"schema.link": ["a", "b"]}: these columns hold our key; any change of such a row counts.
-- {"schema.other": {"columns": [...], "watch": [...], "keys": "query"}}: keys is a query over changed, which has the columns, and
-- gives our key columns in order. watch: an UPDATE counts when one of these changes; default: any column.
-- Locks:  none.
-- Raises: VE103 unknown column · VE104 anything else that is wrong with it · VE110 not permitted
create or replace function evervec.add_dependencies(p_source evervec.source, p_depends_on jsonb)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_item     record;
    v_relation regclass;
    v_columns  text[];
    v_watched  text[];
    v_types    text[];
    v_keys     text;
    v_unknown  text;
    v_message  text;
    v_hint     text := 'For example: p_depends_on => ''{"public.game_genre": "game_id", "public.genre": {"columns": ["id"], "watch": ["name"], '
                       '"keys": "select gg.game_id from public.game_genre gg join changed c on c.id = gg.genre_id"}}''.';
begin
    if jsonb_typeof(p_depends_on) <> 'object' then
        raise exception using
            errcode = 'VE104', message = 'p_depends_on is not a JSON object',
            detail  = format('It is: %s', left(p_depends_on::text, 200)), hint = v_hint;
    end if;
    for v_item in select d.key as name, d.value, d.ordinality from jsonb_each(p_depends_on) with ordinality as d (key, value, ordinality) loop
        v_relation := to_regclass(v_item.name);
        if v_relation is null or v_relation = p_source.relation
           or not exists (select from pg_class c where c.oid = v_relation and c.relkind in ('r', 'p')) then
            raise exception using
                errcode = 'VE104',
                message = format('p_depends_on names "%s", which is not another table', v_item.name),
                detail  = 'Its keys are tables, written with their schema.', hint = v_hint;
        end if;
        if not pg_has_role((select c.relowner from pg_class c where c.oid = v_relation), 'usage') then
            raise exception using
                errcode = 'VE110',
                message = format('%s cannot be watched by %s', v_relation, current_user),
                detail  = 'Its owner''s rights are needed to create triggers on it.',
                hint    = format('GRANT %s TO %I;', (select c.relowner::regrole from pg_class c where c.oid = v_relation), current_user);
        end if;

        case jsonb_typeof(v_item.value)
            when 'object' then
                v_columns := array(select jsonb_array_elements_text(v_item.value -> 'columns'));
                v_watched := array(select jsonb_array_elements_text(v_item.value -> 'watch'));
                v_keys := v_item.value ->> 'keys';
            when 'array' then
                v_columns := array(select jsonb_array_elements_text(v_item.value));
                v_watched := '{}';
            else
                v_columns := array[v_item.value #>> '{}'];
                v_watched := '{}';
        end case;
        if jsonb_typeof(v_item.value) <> 'object' then
            v_keys := format('select %s from changed c', (
                select string_agg(format('c.%I', c.name), ', ' order by c.ordinality)
                  from unnest(v_columns) with ordinality as c (name, ordinality)));
        end if;
        if cardinality(v_watched) = 0 then
            v_watched := array(select a.attname from pg_attribute a
                                where a.attrelid = v_relation and a.attnum > 0 and not a.attisdropped order by a.attnum);
        end if;

        select c.name into v_unknown
          from unnest(v_columns || v_watched) as c (name)
         where evervec.column_text(v_relation, c.name) is null
         limit 1;
        if found then
            raise exception using
                errcode = 'VE103', message = format('column "%s" of %s does not exist', v_unknown, v_relation),
                detail  = 'p_depends_on names it.', hint = v_hint;
        end if;
        v_types := array(
            select format_type(a.atttypid, -1)
              from unnest(v_columns) with ordinality as c (name, ordinality)
              join pg_attribute a on a.attrelid = v_relation and a.attname = c.name
             order by c.ordinality);
        begin
            execute evervec.dependents_query(p_source, v_columns, v_types, v_keys, '''{}''::jsonb[]');
        exception when syntax_error_or_access_rule_violation or data_exception then
            get stacked diagnostics v_message = message_text;
            raise exception using
                errcode = 'VE104',
                message = format('p_depends_on says of %s what is no query for keys of %s', v_relation, p_source.relation),
                detail  = v_message, hint = v_hint;
        end;
        insert into evervec.dependency (source_id, ordinal, relation, columns, types, watched, keys)
        values (p_source.source_id, v_item.ordinality, v_relation, v_columns, v_types, v_watched, v_keys);
    end loop;
end
$$;

comment on function evervec.add_dependencies(evervec.source, jsonb) is
$$Internal. Checks p_depends_on and fills evervec.dependency. Raises VE103, VE104, VE110.$$;

revoke execute on function evervec.add_dependencies(evervec.source, jsonb) from public;

-- file: functions/track/analyse_sql.sql
-- analyse_sql: what an SQL expression over a row reads, found by making a view of it and looking at the view's dependencies.
--
-- The row's alias is the name of its table. The view lives for a moment, under a name of evervec's own.
-- Locks:  those of CREATE VIEW and DROP VIEW: ACCESS SHARE on what it reads.
-- Raises: VE104 it does not parse · VE110 it reaches a function or operator in a schema where PUBLIC may create
create or replace function evervec.analyse_sql(
    p_relation  regclass,
    p_parameter text,
    p_sql       text,
    out columns text[],
    out tables  regclass[]
)
language plpgsql
set search_path from current
as $$
declare
    v_view   regclass;
    v_rule   oid;
    v_detail text;
begin
    -- One name for the view, so one analysis at a time.
    perform pg_advisory_xact_lock(evervec.lock_key('analyse'));
    begin
        execute format(
            E'create view evervec.analysed as select (%s\n) as result from %s as %I',
            p_sql, evervec.qualified_name(p_relation), (select c.relname from pg_class c where c.oid = p_relation));
    exception
        when syntax_error_or_access_rule_violation or feature_not_supported or grouping_error or data_exception then
            get stacked diagnostics v_detail = message_text;
            raise exception using
                errcode = 'VE104',
                message = format('%s is not an SQL expression over a row of %s', p_parameter, p_relation),
                detail  = v_detail,
                hint    = format('The row is called %I there; name other tables with their schema. A query must give one column and one row.',
                                 (select c.relname from pg_class c where c.oid = p_relation));
    end;

    v_view := to_regclass('evervec.analysed');
    select r.oid into v_rule from pg_rewrite r where r.ev_class = v_view;
    columns := case
        -- A reference to the whole row names no column: every one counts.
        when pg_get_viewdef(v_view) ~ '\.\*' then array(
            select a.attname::text from pg_attribute a
             where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped order by a.attnum)
        else array(
            select a.attname::text
              from pg_attribute a
             where a.attrelid = p_relation and a.attnum > 0
               and a.attnum in (select d.refobjsubid from pg_depend d
                                 where d.classid = 'pg_rewrite'::regclass and d.objid = v_rule and d.refobjid = p_relation)
             order by a.attnum)
    end;
    tables := array(
        select distinct d.refobjid::regclass
          from pg_depend d
         where d.classid = 'pg_rewrite'::regclass and d.objid = v_rule and d.refclassid = 'pg_class'::regclass
           and d.refobjid not in (p_relation, v_view));
    perform evervec.check_references(p_parameter, v_view);
    drop view evervec.analysed;
end
$$;

comment on function evervec.analyse_sql(regclass, text, text) is
$$Internal. The columns of a table, and the other tables, that an SQL expression over its row reads. Raises VE104, VE110.$$;

revoke execute on function evervec.analyse_sql(regclass, text, text) from public;

-- file: functions/track/key_decoy.sql
-- key_decoy: a FROM item with the names of the key columns, for triggers: what a name means when the row has it no longer.
--
-- A key column that was renamed must not make an application's write fail. The column is named inside a subquery over the row alone;
-- when the row has no such column any more, the name means the decoy's NULL.
-- Locks:  none.
create or replace function evervec.key_decoy(p_source evervec.source)
returns text
language sql immutable
set search_path from current
as $$
    select format('(select %s) as decoy', string_agg(format('null::%s as %I', c.type, c.name), ', ' order by c.ordinality))
      from unnest(p_source.key_columns, p_source.key_types) with ordinality as c (name, type, ordinality)
$$;

comment on function evervec.key_decoy(evervec.source) is
$$Internal. FROM item decoy: the key columns, all NULL.$$;

revoke execute on function evervec.key_decoy(evervec.source) from public;

-- file: functions/track/changed_keys.sql
-- changed_keys: the query by which a trigger says which rows changed: source, operation, row_key.
--
-- A key is NULL where a key column was renamed (see key_decoy), and a NULL key in the log says: something changed in this source,
-- compare it all. Nor does it matter that another column has taken the name: the JSON is built of whatever type it has. The worker
-- sees the rename and writes the triggers' functions anew.
-- LATERAL and not a scalar subquery: the planner makes one flat plan of it, and single-row writers feel its start.
-- Locks:  none.
-- needs: functions/track/primary_key.sql
-- needs: functions/track/key_decoy.sql
create or replace function evervec.changed_keys(p_source evervec.source, p_operation text, p_rows text)
returns text
language sql stable
set search_path from current
as $$
    select format('select %s, %L::"char", k.key from %s r, %s, lateral (select case when %s then jsonb_build_object(%s) end as key from (select r.*) as changed) as k',
                  p_source.source_id, p_operation, p_rows, evervec.key_decoy(p_source),
                  string_agg(format('%I is not null', c.name), ' and ' order by c.ordinality),
                  string_agg(format('%L, %I%s', c.name, c.name, case when k.as_text then '::text' end), ', ' order by c.ordinality))
      from unnest(p_source.key_columns) with ordinality as c (name, ordinality)
      join evervec.primary_key(p_source.relation) k on k.ordinal = c.ordinality
$$;

comment on function evervec.changed_keys(evervec.source, text, text) is
$$Internal. SQL query for (source_id, operation, row_key) of the changed rows p_rows, a FROM item of a trigger.$$;

revoke execute on function evervec.changed_keys(evervec.source, text, text) from public;

-- file: functions/track/check_name.sql
-- check_name: refuses a source name that its generated objects could not bear.
--
-- Locks:  none.
-- Raises: VE106 empty, too long for a generated name, or one that makes the name of another function · VE102 taken
create or replace function evervec.check_name(p_name text)
returns void
language plpgsql stable
set search_path from current
as $$
declare
    -- The longest of the names that are made from it.
    v_longest text := format('evervec_%s_dep99_truncate', p_name);
    v_taken   text;
begin
    if p_name is null or p_name !~ '\S' then
        raise exception using
            errcode = 'VE106', message = 'the name of a source is empty',
            detail  = 'Functions, triggers and the embedding table are named after it.',
            hint    = 'Leave p_name out to use the table''s name.';
    elsif octet_length(v_longest) > 63 then
        raise exception using
            errcode = 'VE106',
            message = format('the name "%s" is too long for a source', p_name),
            detail  = format('The trigger "%s" would have %s bytes; PostgreSQL keeps 63.', v_longest, octet_length(v_longest)),
            hint    = format('Give a p_name of at most %s bytes.', 63 - octet_length('evervec__dep99_truncate'));
    elsif exists (select from evervec.source s where s.name = p_name) then
        raise exception using
            errcode = 'VE102',
            message = format('source "%s" exists already', p_name),
            detail  = (select format('It tracks %s.', s.relation) from evervec.source s where s.name = p_name),
            hint    = 'Give another p_name to track the table once more, or evervec.untrack() the old source first.';
    end if;
    select p.proname into v_taken
      from pg_proc p
     where p.pronamespace = 'evervec'::regnamespace and p.proname = any (evervec.generated_functions(p_name))
     limit 1;
    if found then
        raise exception using
            errcode = 'VE106',
            message = format('a source cannot be named "%s"', p_name),
            detail  = format('Its function %I would bear the name of one that is there.', v_taken),
            hint    = format('Give another p_name, such as ''%s_source''.', p_name);
    end if;
end
$$;

comment on function evervec.check_name(text) is
$$Internal. Raises VE106 or VE102 when a source cannot have that name.$$;

revoke execute on function evervec.check_name(text) from public;

-- file: functions/track/check_references.sql
-- check_references: refuses SQL, as a view of it, that reaches functions or operators which anybody could replace.
--
-- Locks:  none.
-- Raises: VE110 it reaches a function or operator in a schema where PUBLIC may create
create or replace function evervec.check_references(p_what text, p_view regclass)
returns void
language plpgsql stable
set search_path from current
as $$
declare
    v_rule   oid := (select r.oid from pg_rewrite r where r.ev_class = p_view);
    v_unsafe text;
begin
    select r.name into v_unsafe
      from (
        select f.oid::regprocedure::text as name, f.pronamespace as namespace
          from pg_depend d join pg_proc f on d.refclassid = 'pg_proc'::regclass and f.oid = d.refobjid
         where d.classid = 'pg_rewrite'::regclass and d.objid = v_rule
        union all
        select o.oid::regoperator::text, o.oprnamespace
          from pg_depend d join pg_operator o on d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid
         where d.classid = 'pg_rewrite'::regclass and d.objid = v_rule
      ) r
     where has_schema_privilege('public', r.namespace, 'create');
    if v_unsafe is not null then
        raise exception using
            errcode = 'VE110',
            message = format('%s reaches %s, which anybody could replace', p_what, v_unsafe),
            detail  = 'It stands in a schema in which PUBLIC may create, and recipes run with the rights of the table''s owner.',
            hint    = 'Move it to a schema of its owner, or REVOKE CREATE ON SCHEMA … FROM PUBLIC.';
    end if;
end
$$;

comment on function evervec.check_references(text, regclass) is
$$Internal. Raises VE110 when a view reaches what anybody could replace.$$;

revoke execute on function evervec.check_references(text, regclass) from public;

-- file: functions/track/check_relation.sql
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

-- file: functions/track/column_text.sql
-- column_text: the SQL expression that turns a column of row s into text; NULL becomes ''.
--
-- Arrays read as a comma-separated list. The database's collation, because regular expressions refuse a nondeterministic one
-- and two that differ. Settings that change how a type prints are pinned by the functions that run it.
-- Locks:  none.
create or replace function evervec.column_text(p_relation regclass, p_column text)
returns text
language sql stable
set search_path from current
as $$
    select format('coalesce(%s, '''') collate "default"',
                  format(case when t.typcategory = 'A' then 'array_to_string(s.%I, '', '')' else 's.%I::text' end, a.attname))
      from pg_attribute a
      join pg_type t on t.oid = a.atttypid
     where a.attrelid = p_relation and a.attname = p_column and a.attnum > 0 and not a.attisdropped
$$;

comment on function evervec.column_text(regclass, text) is
$$Internal. SQL expression for the text of one column of row s, '' for NULL; NULL when there is no such column.$$;

revoke execute on function evervec.column_text(regclass, text) from public;

-- file: functions/track/columns_text.sql
-- columns_text: columns joined as "Name: value" lines, blank ones left out, as an SQL expression over row s.
--
-- needs: functions/track/column_text.sql
-- Locks:  none.
create or replace function evervec.columns_text(p_relation regclass, p_columns text[])
returns text
language sql stable
set search_path from current
as $$
    select format('concat_ws(E''\n'', %s)',
                  string_agg(
                      format('case when %2$s ~ ''\S'' then %1$L || %2$s end',
                             upper(left(c.name, 1)) || replace(substr(c.name, 2), '_', ' ') || ': ',
                             evervec.column_text(p_relation, c.name)),
                      ', ' order by c.ordinality))
      from unnest(p_columns) with ordinality as c (name, ordinality)
$$;

comment on function evervec.columns_text(regclass, text[]) is
$$Internal. The recipe of p_columns as an SQL expression over row s.$$;

revoke execute on function evervec.columns_text(regclass, text[]) from public;

-- file: functions/track/compile_recipe.sql
-- compile_recipe: checks the recipe of a source and compiles it: the text as an SQL expression over row s, and what it reads.
--
-- Columns and templates: a row whose columns are all blank has no text, so no vector. A row that p_where does not want has none either.
-- Locks:  those of analyse_sql.
-- Raises: VE103 unknown column · VE104 no recipe, several, an empty one, a malformed one · VE110 unsafe SQL
create or replace function evervec.compile_recipe(
    p_relation          regclass,
    p_columns           text[],
    p_template          text,
    p_text_sql          text,
    p_where             text,
    out watched         text[],
    out text_expression text,
    out tables          regclass[]
)
language plpgsql
set search_path from current
as $$
declare
    v_hint    text := 'Give one of p_columns => ''{title,body}'', p_template => ''{title}: {body}'', or p_text_sql.';
    v_found   record;
    v_unknown text;
begin
    case num_nonnulls(p_columns, p_template, p_text_sql)
        when 0 then
            raise exception using
                errcode = 'VE104', message = 'no recipe for the text of a row',
                detail  = 'None of p_columns, p_template and p_text_sql was given.', hint = v_hint;
        when 1 then
            null;
        else
            raise exception using
                errcode = 'VE104', message = 'a source has one recipe: columns or a template or SQL, not both',
                detail  = 'More than one of p_columns, p_template and p_text_sql was given.', hint = v_hint;
    end case;
    tables := '{}';
    if p_text_sql is not null then
        select * into v_found from evervec.analyse_sql(p_relation, 'p_text_sql', p_text_sql);
        watched := v_found.columns;
        tables := v_found.tables;
        text_expression := format('(%s)::text', evervec.over_row(p_relation, p_text_sql));
    else
        watched := coalesce(p_columns, array(
            select distinct t.hole from evervec.template_parts(p_template) t where t.hole is not null order by t.hole));
        if cardinality(watched) = 0 then
            raise exception using
                errcode = 'VE104',
                message = case when p_columns is not null then 'p_columns is empty' else 'the template names no column' end,
                detail  = 'A row''s text needs at least one column, or every row would have the same.',
                hint    = v_hint;
        end if;
        select c.name into v_unknown
          from unnest(watched) as c (name)
         where evervec.column_text(p_relation, c.name) is null
         limit 1;
        if found then
            raise exception using
                errcode = 'VE103',
                message = format('column "%s" of %s does not exist', v_unknown, p_relation),
                detail  = 'Columns: ' || (
                    select string_agg(a.attname, ', ' order by a.attnum)
                      from pg_attribute a
                     where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped) || '.',
                hint    = 'Names are case-sensitive and written without quotes.';
        end if;
        text_expression := case when p_columns is not null then evervec.columns_text(p_relation, p_columns)
                                else evervec.template_text(p_relation, p_template) end;
    end if;

    if p_where is not null then
        select * into v_found from evervec.analyse_sql(p_relation, 'p_where', p_where);
        watched := array(select distinct w from unnest(watched || v_found.columns) w order by w);
        tables := tables || v_found.tables;
        text_expression := format('case when %s then %s end', evervec.over_row(p_relation, p_where), text_expression);
    end if;
end
$$;

comment on function evervec.compile_recipe(regclass, text[], text, text, text) is
$$Internal. The recipe as an SQL expression over row s, the columns whose changes count, and the other tables that it reads. Raises VE103, VE104, VE110.$$;

revoke execute on function evervec.compile_recipe(regclass, text[], text, text, text) from public;

-- file: functions/track/create_column_functions.sql
-- create_column_functions: write_<source> and erase_<source> for vectors in columns of the user's own table.
--
-- They write under evervec.bypass, so that no trigger of ours notices what evervec itself writes, whatever a user's BEFORE trigger
-- makes of it. There is no column for notes; the job's receipt has them.
-- Locks:  none that matter.
create or replace function evervec.create_column_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql    record;
    v_keys   record;
    v_bypass text := $body$
            v_former := current_setting('evervec.bypass', true);
            perform set_config('evervec.bypass', 'on', true);$body$;
    v_back   text := $body$
            perform set_config('evervec.bypass', coalesce(v_former, ''), true);$body$;
begin
    select * into v_sql from evervec.fragments(p_source);
    select string_agg(format('s.%I as key_%s', c.name, c.ordinality), ', ' order by c.ordinality) as read,
           string_agg(format('t.%I %s l.key_%s', c.name, o.operator, c.ordinality), ' and ' order by c.ordinality) as matched
      into v_keys
      from unnest(p_source.key_columns) with ordinality as c (name, ordinality)
      join unnest(p_source.key_operators) with ordinality as o (operator, ordinality) using (ordinality);
    perform evervec.create_row_function(
        p_source, 'write', 'p_row_keys jsonb[], p_hashes bytea[], p_embeddings vector[], p_model_id integer, p_notes text[]',
        'table (ordinal integer, outcome text)', false,
        format(
            $body$
        declare
            v_former text;
        begin
            %1$s
            return query
            with locked as materialized (
                select k.ordinality, k.content_hash, k.embedding, s.*
                  from unnest($1, $2, $3) with ordinality
                       as k (row_key, content_hash, embedding, ordinality)
                  cross join lateral (
                    select sha256(convert_to(%2$s, 'UTF8')) = k.content_hash as still_true, %3$s
                      from %4$s s
                     where %5$s
                       for no key update of s skip locked
                  ) s
            ), written as (
                update %4$s t
                   set %6$s
                  from locked l
                 where %7$s and l.still_true
            )
            select k.ordinality::integer,
                   case when l.still_true then 'completed'
                        when l.ordinality is not null then 'superseded'
                        when exists (select from %4$s s where %5$s) then 'locked'
                        else 'gone' end
              from unnest($1) with ordinality as k (row_key, ordinality)
              left join locked l on l.ordinality = k.ordinality;
            %8$s
        end
            $body$,
            v_bypass, v_sql.content, v_keys.read, v_sql.relation, evervec.key_match(p_source, 's', false),
            concat_ws(', ',
                format('%I = l.embedding', p_source.vector_column),
                format('%I = l.content_hash', p_source.hash_column),
                format('%I = %L', p_source.model_column, (select m.name from evervec.model m where m.model_id = p_source.model_id)),
                format('%I = now()', p_source.time_column),
                format('%I = %s', p_source.version_column, p_source.version)),
            v_keys.matched, v_back),
        'set enable_seqscan = off set jit = off');
    perform evervec.create_row_function(
        p_source, 'erase', 'p_row_keys jsonb[]', 'integer[]', false,
        format(
            $body$
        declare
            v_former text;
            v_held   integer[];
        begin
            %1$s
            with held as materialized (
                select e.tableoid as partition, e.ctid as address
                  from unnest($1) as k (row_key)
                  join %2$s e on %3$s
                 where num_nonnulls(e.%4$I, e.%5$I) > 0
                   for no key update of e skip locked
            )
            update %2$s t
               set %4$I = null, %5$I = null
              from held h
             where t.tableoid = h.partition and t.ctid = h.address;
            v_held := array(
                select k.ordinality::integer
                  from unnest($1) with ordinality as k (row_key, ordinality)
                 where exists (select from %2$s e where %3$s and num_nonnulls(e.%4$I, e.%5$I) > 0));
            %6$s
            return v_held;
        end
            $body$,
            v_bypass, v_sql.relation, evervec.key_match(p_source, 'e', true), p_source.vector_column, p_source.hash_column, v_back));
end
$$;

comment on function evervec.create_column_functions(evervec.source) is
$$Internal. Creates or replaces write_<source> and erase_<source> for column storage.$$;

revoke execute on function evervec.create_column_functions(evervec.source) from public;

-- file: functions/track/create_dependency_triggers.sql
-- create_dependency_triggers: triggers on the other tables that a recipe reads: they log a few columns of what changed.
--
-- What follows from it, the keys of our rows, is found out by the fold, never in the writer's transaction. A renamed column makes
-- the log say {"renamed": …} in its place, and the fold compares the whole source.
--
-- Locks:  SHARE ROW EXCLUSIVE on these tables.
create or replace function evervec.create_dependency_triggers(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_dependency evervec.dependency;
    v_by_row     boolean;
    v_changed    text;
    v_decoy      text;
    v_function   text;
    v_trigger    record;
begin
    for v_dependency in select * from evervec.dependency d where d.source_id = p_source.source_id order by d.ordinal loop
        v_by_row := (select c.relkind = 'p' from pg_class c where c.oid = v_dependency.relation);
        v_changed := format(
            '(select jsonb_build_object(%s) from (select r.*) as changed)',
            (select string_agg(format('%L, %I', c.name, c.name), ', ' order by c.ordinality)
               from unnest(v_dependency.columns) with ordinality as c (name, ordinality)));
        v_decoy := format('(select %s) as decoy', (
            select string_agg(format('''{"renamed": true}''::jsonb as %I', c.name), ', ' order by c.ordinality)
              from unnest(v_dependency.columns) with ordinality as c (name, ordinality)));

        perform evervec.lock_relation(v_dependency.relation, 'share row exclusive');
        for v_trigger in
            select t.event, t.operation, t.condition, t.rows
              from (values
                ('insert', 'insert', case when v_by_row then 'for each row' else 'referencing new table as evervec_new for each statement' end,
                 case when v_by_row then '(select new.*) r' else 'evervec_new r' end),
                ('delete', 'delete', case when v_by_row then 'for each row' else 'referencing old table as evervec_old for each statement' end,
                 case when v_by_row then '(select old.*) r' else 'evervec_old r' end),
                ('update', 'update', 'for each row', '(select old.* union all select new.*) r'),
                ('truncate', 'truncate', 'for each statement', null)
              ) as t (event, operation, condition, rows)
        loop
            v_function := format('log_dep%s_%s_%s', v_dependency.ordinal, v_trigger.event, p_source.name);
            perform evervec.create_log_function(
                v_function,
                case when v_trigger.rows is null then format('values (%s, ''T'', null::jsonb)', p_source.source_id)
                     when v_trigger.event = 'update' then format(
                        'select %1$s, ''R'', jsonb_build_object(''dependency'', %2$s, ''changed'', %3$s) from (select old.*) r, %4$s union '
                        'select %1$s, ''R'', jsonb_build_object(''dependency'', %2$s, ''changed'', %3$s) from (select new.*) r, %4$s',
                        p_source.source_id, v_dependency.ordinal, v_changed, v_decoy)
                     else format('select distinct %s, ''R'', jsonb_build_object(''dependency'', %s, ''changed'', %s) from %s, %s',
                                 p_source.source_id, v_dependency.ordinal, v_changed, v_trigger.rows, v_decoy) end,
                p_pinned => true);
            execute format('create trigger %I after %s on %s %s %s execute function evervec.%I()',
                           format('evervec_%s_dep%s_%s', p_source.name, v_dependency.ordinal, v_trigger.event),
                           v_trigger.operation, v_dependency.relation, v_trigger.condition,
                           case when v_trigger.event = 'update'
                                then format('when (%s)', evervec.row_differs(v_dependency.relation, v_dependency.watched)) end,
                           v_function);
        end loop;
    end loop;
end
$$;

comment on function evervec.create_dependency_triggers(evervec.source) is
$$Internal. Creates the triggers evervec_<source>_dep<n>_insert, _delete, _update and _truncate on the tables that a recipe reads.$$;

revoke execute on function evervec.create_dependency_triggers(evervec.source) from public;

-- file: functions/track/create_dependents_functions.sql
-- create_dependents_functions: dependents<n>_<source>, which lead from logged rows of another table to our row_keys.
--
-- Locks:  none that matter.
create or replace function evervec.create_dependents_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
begin
    perform evervec.create_row_function(
               p_source, 'dependents' || d.ordinal, 'p_changed jsonb[]', 'setof jsonb', true,
               format(E'begin return query %s; end',
                      evervec.dependents_query(p_source, d.columns, d.types, d.keys, 'p_changed')))
       from evervec.dependency d
      where d.source_id = p_source.source_id;
end
$$;

comment on function evervec.create_dependents_functions(evervec.source) is
$$Internal. Creates or replaces dependents<n>_<source> for every table that the recipe depends on.$$;

revoke execute on function evervec.create_dependents_functions(evervec.source) from public;

-- file: functions/track/create_document.sql
-- create_document: the columns of an embedding table for the words of its texts, and for BM25 the texts, empty, in the place of former ones.
--
-- To have other words is to have another column: nothing is written here, workers fill it. Its index is made at once where the table is new,
-- and otherwise by the worker, who keeps nobody waiting. MAIN: of a row that is too large the words go out of line before the vector does.
-- The words are kept where only the texts come or go.
-- Locks:  ACCESS EXCLUSIVE on the embedding table, taken in attempts of half a second with pauses between them.
-- Raises: 55P03 the table stays locked
-- needs: functions/core/qualified_name.sql
create or replace function evervec.create_document(p_source evervec.source, p_words boolean, p_new boolean)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_target text := evervec.qualified_name(p_source.target);
begin
    perform evervec.lock_relation(p_source.target, 'access exclusive');
    execute format('alter table %s drop column if exists document_text', v_target);
    if p_source.bm25 then
        execute format('alter table %s add column document_text text', v_target);
        execute format('comment on column %s.document_text is %L', v_target, 'The text that document has the words of, for BM25.');
    end if;
    if not p_words then
        return;
    end if;
    execute format('alter table %s drop column if exists document', v_target);
    if p_source.text_search is not null then
        execute format('alter table %s add column document tsvector, alter column %I set storage main', v_target, p_source.vector_column);
        execute format('comment on column %s.document is %L', v_target,
                       'The words of the text that the vector stands for, for full text search; NULL: not written yet.');
        if p_new then
            execute evervec.index_definition(p_source, '', 'document');
        end if;
    end if;
end
$$;

comment on function evervec.create_document(evervec.source, boolean, boolean) is
$$Internal. Drops the column document_text of an embedding table, and with p_words document, and makes them anew where the source has bm25, and text_search; p_new: the index of the words too. Raises 55P03.$$;

revoke execute on function evervec.create_document(evervec.source, boolean, boolean) from public;

-- file: functions/track/create_document_functions.sql
-- create_document_functions: the generated functions that write the words of texts for full text search.
--
-- document_<source>(text) → its words. A tsvector holds 1 MB, and nobody's vector is to be lost for that: a long text is cut, and cut again
-- where a dictionary makes more of it than most do.
-- redocument_<source>(row_keys) → writes the words of rows whose vector is right and whose words are missing, while their text is that of the
-- vector (with BM25, the text too; never without its words, so that its index finds no configuration gone). What others hold is passed over: they write the words themselves, or take the vector away.
-- Locks:  none that matter; redocument_ takes rows of the embedding table FOR UPDATE SKIP LOCKED.
create or replace function evervec.create_document_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql record;
begin
    select * into v_sql from evervec.fragments(p_source);
    perform evervec.create_row_function(
        p_source, 'document', 'p_text text', 'tsvector', true,
        format(
            $body$
        declare
            v_characters integer := 200000;
            v_words      tsvector;
        begin
            loop
                begin
                    v_words := to_tsvector(%L::regconfig, left($1, v_characters));
                    exit;
                exception
                    when program_limit_exceeded then
                        v_characters := v_characters / 2;
                    when others then
                        -- The configuration is gone, or its dictionary: the vector is stored without words, and doctor tells.
                        exit;
                end;
            end loop;
            return v_words;
        end
            $body$,
            p_source.text_search),
        -- Of words that are too long for a tsvector.
        'set client_min_messages = warning');
    perform evervec.create_row_function(
        p_source, 'redocument', 'p_row_keys jsonb[]', 'void', false,
        format(
            $body$
        begin
            with undocumented as materialized (
                select e.ctid as address, t.content, evervec.%1$I(t.content) as document
                  from unnest($1) as k (row_key)
                  join %2$s e on %3$s
                  join %4$s s on %5$s
                  cross join lateral (select %6$s as content offset 0) t
                 where %7$s and e.content_hash = sha256(convert_to(t.content, 'UTF8'))
                   for update of e skip locked
            )
            update %2$s d
               set document = u.document %8$s
              from undocumented u
             where d.ctid = u.address;
        end
            $body$,
            'document_' || p_source.name, v_sql.target, evervec.key_match(p_source, 'e', true), v_sql.relation,
            evervec.key_match(p_source, 's', false), v_sql.content,
            case when p_source.bm25 then '(e.document is null or e.document_text is null)' else 'e.document is null' end,
            case when p_source.bm25 then ', document_text = case when u.document is not null then left(u.content, 200000) end' end),
        'set enable_seqscan = off set jit = off set client_min_messages = warning');
end
$$;

comment on function evervec.create_document_functions(evervec.source) is
$$Internal. Creates or replaces document_<source> and redocument_<source>.$$;

revoke execute on function evervec.create_document_functions(evervec.source) from public;

-- file: functions/track/create_erase_functions.sql
-- create_erase_functions: the trigger functions that remove the vectors of rows that went, at once.
--
-- With the rights of the owner of the source's table, who owns the vectors' table too: a trigger which that owner puts there gains nothing.
-- Through a view, which follows a rename of that table; where somebody dropped it with CASCADE, and our view with it, the writer goes on.
-- A writer under REPEATABLE READ or SERIALIZABLE removes none: that could give it a serialization failure; the worker sweeps.
--
-- Locks:  none that matter.
create or replace function evervec.create_erase_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_view     text := 'vector_' || p_source.name;
    v_owner    regrole := (select c.relowner from pg_class c where c.oid = p_source.relation);
    v_pinned   boolean := exists (select from evervec.primary_key(p_source.relation) k where k.as_text);
    v_function record;
begin
    execute format('create or replace view evervec.%I with (security_invoker) as select * from %s',
                   v_view, evervec.qualified_name(p_source.target));
    execute format('grant select, delete on evervec.%I to %s', v_view, v_owner);
    for v_function in
        select f.prefix, f.gone
          from (values
            ('erase_rows', evervec.vanished_vectors(p_source, 'evervec_old')),
            ('erase_row', evervec.vanished_vectors(p_source, '(select old.*)')),
            ('erase_all', '')
          ) as f (prefix, gone)
    loop
        perform evervec.act_as_owner(p_source, evervec.create_trigger_function(
            format('%s_%s', v_function.prefix, p_source.name),
            format($sql$if current_setting('transaction_isolation') not in ('repeatable read', 'serializable')
                            and to_regclass(%L) is not null then
                            delete from evervec.%I e %s;
                        end if;$sql$, format('evervec.%I', v_view), v_view, v_function.gone),
            v_pinned));
    end loop;
end
$$;

comment on function evervec.create_erase_functions(evervec.source) is
$$Internal. Creates or replaces the trigger functions erase_rows_, erase_row_ and erase_all_<source>, and the view vector_<source>.$$;

revoke execute on function evervec.create_erase_functions(evervec.source) from public;

-- file: functions/track/create_filter.sql
-- create_filter: filter_<source>_<filter>, the keys of the rows that a filter leaves.
--
-- SQL without SET clauses, so that it inlines. It is only called by functions that pin the search_path, the one under which it is checked here.
-- Locks:  none that matter.
-- Raises: VE210 not a condition over a row of the source
create or replace function evervec.create_filter(p_source evervec.source, p_filter evervec.filter)
returns void
language plpgsql
set search_path from current
set check_function_bodies = on
as $$
declare
    v_name   text := 'filter_' || p_source.name || '_' || p_filter.name;
    v_alias  text := (select c.relname from pg_class c where c.oid = p_source.relation);
    v_detail text;
begin
    execute format(
        $sql$
        create or replace function evervec.%1$I(%2$s) returns table (%3$s)
        language sql stable
        as %4$L
        $sql$,
        v_name,
        (select string_agg(format('%I %s', p.name, p.type), ', ' order by p.ordinality)
           from unnest(p_filter.parameter_names, p_filter.parameter_types) with ordinality as p (name, type, ordinality)),
        (select string_agg(format('key_%s %s', k.ordinality, k.type), ', ' order by k.ordinality)
           from unnest(p_source.key_types) with ordinality as k (type, ordinality)),
        format(E'select %s from %s as %I where (%s\n)', evervec.key_list(p_source, quote_ident(v_alias)), (evervec.fragments(p_source)).relation, v_alias,
               p_filter.condition));
    execute format('comment on function evervec.%I is %L', v_name,
                   format('Keys of the rows of %s that the filter %s leaves.', p_source.relation, p_filter.name));
    execute format('revoke execute on function evervec.%I from public', v_name);
    execute format('grant execute on function evervec.%I to %s', v_name,
                   (select c.relowner::regrole from pg_class c where c.oid = p_source.relation));
exception
    when syntax_error_or_access_rule_violation or feature_not_supported or grouping_error or data_exception then
        get stacked diagnostics v_detail = message_text;
        raise exception using
            errcode = 'VE210',
            message = format('filter "%s" of source "%s" is no condition over a row of %s', p_filter.name, p_source.name, p_source.relation),
            detail  = v_detail,
            hint    = format('The row is called %I there; name other tables, and types, with their schema; parameters by name, or as $1, $2, ….', v_alias);
end
$$;

comment on function evervec.create_filter(evervec.source, evervec.filter) is
$$Internal. Creates or replaces filter_<source>_<filter>. Raises VE210.$$;

revoke execute on function evervec.create_filter(evervec.source, evervec.filter) from public;

-- file: functions/track/create_filter_functions.sql
-- create_filter_functions: all functions that a filter has of its own.
--
-- filter_<source>_<filter>(its parameters) → the keys of the rows that qualify; find_similar_<source>_<filter>, typed; where the source keeps
-- words, hybrid_search_<source>_<filter>.
-- Locks:  none that matter.
-- Raises: VE210 its condition is none over a row of the source · 2BP01 as create_search
create or replace function evervec.create_filter_functions(p_source evervec.source, p_filter evervec.filter)
returns void
language plpgsql
set search_path from current
as $$
begin
    perform evervec.create_filter(p_source, p_filter);
    perform evervec.create_search(p_source, format('find_similar_%s_%s', p_source.name, p_filter.name), true, p_filter);
    if p_source.text_search is not null then
        perform evervec.create_hybrid_function(p_source, p_filter);
    end if;
end
$$;

comment on function evervec.create_filter_functions(evervec.source, evervec.filter) is
$$Internal. Creates or replaces filter_<source>_<filter>, find_similar_<source>_<filter> and, where the source keeps words, hybrid_search_<source>_<filter>. Raises VE210, 2BP01.$$;

revoke execute on function evervec.create_filter_functions(evervec.source, evervec.filter) from public;

-- file: functions/track/create_hybrid_function.sql
-- create_hybrid_function: hybrid_search_<source>, or that of a filter: what two searches find, by meaning and by words, in one order.
--
-- Weighted reciprocal rank: a row gets weight / (k + rank) from each leg that found it. Ranks, not scores, because a distance and a measure of
-- words have no common scale. Each leg brings twice what is wanted, a hundred at least. The leg of the vectors is the source's
-- search function, index, exact search, filter and all; the leg of the words uses their GIN index. A filter stands in both.
--
-- Words that only say what a text is not to contain (and stop words alone) cannot be looked up: then the vectors decide alone. Of words
-- without an end the first 10,000 characters count, as a tsquery is limited too.
--
-- BM25 puts the same rows into another order. The planner chooses how: the index of the words finds them, and the text of each is scored; or the
-- index of pg_textsearch gives texts in order, and each is asked for the words. That one may end before all are found (see bm25_ranking):
-- then, and only then, they are found the first way. Equal scores are in no order at the pool's limit: all of them would have to be scored.
--
-- Runs as the caller. Columns stand behind aliases, variables alone, parameters are $1, $2, …, as in search_body.
-- Locks:  none.
create or replace function evervec.create_hybrid_function(p_source evervec.source, p_filter evervec.filter default null)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_name   text := concat_ws('_', 'hybrid_search', p_source.name, p_filter.name);
    -- The number of p_query; the others follow.
    v_query  integer := 2 + cardinality(coalesce(p_filter.parameter_names, '{}'));
    v_owner  regrole := (select c.relowner from pg_class c where c.oid = p_source.relation);
    v_values text;
    v_keys   text := evervec.key_list(p_source, 'e', true);
    v_found  text;
    v_search text;
    -- The words' leg by ts_rank_cd, and by BM25.
    v_plain  text;
    v_bm25   text;
begin
    select string_agg(format('$%s', 1 + p.ordinality), ', ' order by p.ordinality) into v_values
      from unnest(p_filter.parameter_names) with ordinality as p (name, ordinality);
    v_found := format('from %s e %s where e.document @@ v_words', evervec.qualified_name(p_source.target),
                      case when p_filter.name is not null then
                          format('join evervec.%I(%s) f on %s', format('filter_%s_%s', p_source.name, p_filter.name), v_values,
                                 (select string_agg(format('f.key_%s %s e.%I', k.ordinality, k.operator, k.name), ' and ' order by k.ordinality)
                                    from unnest(p_source.target_key_columns, p_source.key_operators)
                                         with ordinality as k (name, operator, ordinality))) end);
    v_search := format(
        $sql$
            return query
            with vector_leg as materialized (
                select n.row_key, n.similarity, row_number() over (order by n.distance, n.row_key) as place
                  from (select %1$s as row_key, n.similarity, n.distance from evervec.%2$I(%3$s) n where v_query is not null) n
                 where (n.row_key = any ($%9$s)) is not true
            ), text_leg as materialized (
                select t.row_key, t.score, row_number() over (order by t.score desc, t.row_key) as place
                  from (
                    select %4$s as row_key, w."evervec score" as score
                      from (
                        @ranked@
                      ) w
                  ) t
                 where (t.row_key = any ($%9$s)) is not true
            )
            select x.row_key, x.score, x.vector_place::integer, x.similarity, x.text_place::integer, x.text_score
              from (
                select coalesce(v.row_key, t.row_key) as row_key,
                       coalesce($%6$s / ($%8$s + v.place), 0) + coalesce($%7$s / ($%8$s + t.place), 0) as score,
                       v.place as vector_place, v.similarity, t.place as text_place, t.score as text_score
                  from vector_leg v
                  full join text_leg t on t.row_key = v.row_key
              ) x
             order by x.score desc, x.row_key
             limit $%5$s;
        $sql$,
        case when p_filter.name is null then 'n.row_key'
             else format('evervec.%I(%s)', 'key_' || p_source.name,
                         (select string_agg(format('n.%I', evervec.result_name(k.name, p_filter)), ', ' order by k.ordinality)
                            from unnest(p_source.key_columns) with ordinality as k (name, ordinality))) end,
        case when p_filter.name is null then 'similar_' || p_source.name
             else format('find_similar_%s_%s', p_source.name, p_filter.name) end,
        concat_ws(', ', 'v_query', v_values, 'v_most'), evervec.key_call(p_source, 'w', true),
        v_query + 1, v_query + 2, v_query + 3, v_query + 4, v_query + 5);
    v_plain := format('select %1$s, ts_rank_cd(e.document, v_words, 1) as "evervec score" %2$s order by "evervec score" desc, %1$s limit v_most',
                      v_keys, v_found);
    if p_source.bm25 and evervec.bm25_schema() is not null then
        v_bm25 := format(
            $sql$
                        with best as materialized (
                            select %1$s, e.document_text operator(%2$I.<@>) %2$I.to_bm25query(v_bm25.words, v_bm25.index) as "evervec score"
                              %3$s and e.document_text is not null
                             order by "evervec score"
                             limit v_most
                        ), short as materialized (
                            select v_bm25.may_end and count(*) < v_most as yes from best
                        )
                        select %1$s, (-e."evervec score")::real as "evervec score" from best e where not (select s.yes from short s)
                        union all (
                        select %1$s, (-(e.document_text operator(%2$I.<@>) %2$I.to_bm25query(v_bm25.words, v_bm25.index)))::real as "evervec score"
                          %3$s and e.document_text is not null and (select s.yes from short s)
                         order by "evervec score" desc, %1$s
                         limit v_most)
            $sql$,
            v_keys, evervec.bm25_schema(), v_found);
    end if;
    execute format(
        $sql$
        create or replace function evervec.%1$I(p_text text, %2$s p_query vector default null, p_limit integer default 10,
                                                p_vector_weight double precision default 1, p_text_weight double precision default 1, p_k integer default 60,
                                                p_exclude jsonb[] default '{}')
        returns table (row_key jsonb, score double precision, vector_rank integer, similarity real, text_rank integer, text_score real)
        language plpgsql stable
        set search_path from current set plan_cache_mode = force_custom_plan set jit = off
        as $body$
        #variable_conflict use_variable
        declare
            v_most    integer := evervec.hybrid_pool($1, $%4$s, $%5$s, $%6$s, $%7$s, $%8$s);
            v_query   vector := case when $%5$s > 0 then coalesce($%3$s, evervec.query_of(%9$L, $1)) end;
            v_words   tsquery := case when $%6$s > 0 then evervec.words_of(%10$L, $1) end;
            %12$s
        begin
            %11$s
        end
        $body$
        $sql$,
        v_name,
        (select string_agg(format('%I %s,', p.name, p.type), ' ' order by p.ordinality)
           from unnest(p_filter.parameter_names, p_filter.parameter_types) with ordinality as p (name, type, ordinality)),
        v_query, v_query + 1, v_query + 2, v_query + 3, v_query + 4, v_query + 5,
        p_source.name, p_source.text_search,
        case when v_bm25 is null then replace(v_search, '@ranked@', v_plain)
             else format('v_bm25 := evervec.bm25_ranking(%L, %L, case when v_words is not null then $1 end); if v_bm25.index is null then %s else %s end if;',
                         evervec.qualified_name(p_source.target), evervec.bm25_schema(), replace(v_search, '@ranked@', v_plain),
                         replace(v_search, '@ranked@', v_bm25)) end,
        case when v_bm25 is not null then 'v_bm25 record;' end);
    execute format('revoke execute on function evervec.%I from public', v_name);
    execute format('grant execute on function evervec.%I to %s', v_name, v_owner);
    execute format('comment on function evervec.%I is %L', v_name,
                   format('Rows of %s that meaning and words find together, those %sfirst that both find high. See evervec.hybrid_search.',
                          p_source.relation, case when p_filter.name is not null then format('that meet the filter %s, ', p_filter.name) end));
end
$$;

comment on function evervec.create_hybrid_function(evervec.source, evervec.filter) is
$$Internal. Creates or replaces hybrid_search_<source>, or hybrid_search_<source>_<filter>.$$;

revoke execute on function evervec.create_hybrid_function(evervec.source, evervec.filter) from public;

-- file: functions/track/create_key_function.sql
-- create_key_function: key_<source>, the one place where a row_key is built, and canonical_<source>, which reads one and builds it anew.
--
-- Without SET clauses it inlines; keys that print the same in every session need none. NULL among the arguments means that
-- the caller could not name the row (see changed_keys). To read a key may run what its owner has put into a domain: with that owner's rights.
-- Locks:  none that matter.
create or replace function evervec.create_key_function(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_key record;
begin
    select string_agg(format('%L, $%s%s', c.name, c.ordinality, case when k.as_text then '::text' else '' end),
                      ', ' order by c.ordinality) as members,
           string_agg(format('$%s is not null', c.ordinality), ' and ' order by c.ordinality) as known,
           bool_or(k.as_text) as pinned
      into v_key
      from unnest(p_source.key_columns) with ordinality as c (name, ordinality)
      join evervec.primary_key(p_source.relation) k on k.ordinal = c.ordinality;
    execute format(
        $sql$
        create or replace function evervec.%1$I(%2$s) returns jsonb
        language sql stable %3$s
        return case when %4$s then jsonb_build_object(%5$s) end
        $sql$,
        'key_' || p_source.name,
        array_to_string(p_source.key_types, ', '),
        case when v_key.pinned then 'set search_path from current ' || evervec.pinned_settings() else '' end,
        v_key.known, v_key.members);
    execute format('revoke execute on function evervec.%I from public', 'key_' || p_source.name);
    execute format('grant execute on function evervec.%I to %s', 'key_' || p_source.name,
                   (select c.relowner::regrole from pg_class c where c.oid = p_source.relation));
    perform evervec.create_row_function(
        p_source, 'canonical', 'p_row_key jsonb', 'jsonb', true,
        format('begin return evervec.%I(%s); end', 'key_' || p_source.name, evervec.key_decoded(p_source, '$1')));
end
$$;

comment on function evervec.create_key_function(evervec.source) is
$$Internal. Creates or replaces key_<source> and canonical_<source>.$$;

revoke execute on function evervec.create_key_function(evervec.source) from public;

-- file: functions/track/create_log_function.sql
-- create_log_function: one trigger function that appends to the log.
--
-- Locks:  none that matter: replacing a function locks no table.
create or replace function evervec.create_log_function(
    p_function text,
    p_changes  text,
    p_pinned   boolean default false
)
returns void
language plpgsql
set search_path from current
as $$
begin
    perform evervec.create_trigger_function(
        p_function, format('insert into evervec.change_log (source_id, operation, row_key) %s;', p_changes), p_pinned);
end
$$;

comment on function evervec.create_log_function(text, text, boolean) is
$$Internal. Creates or replaces a trigger function. p_changes: query for (source_id, operation, row_key); p_pinned: under pinned settings.$$;

revoke execute on function evervec.create_log_function(text, text, boolean) from public;

-- file: functions/track/create_partition_triggers.sql
-- create_partition_triggers: a TRUNCATE trigger on every partition that has none yet; PostgreSQL clones row triggers only.
--
-- Locks:  SHARE ROW EXCLUSIVE on the partitions concerned.
create or replace function evervec.create_partition_triggers(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_trigger   text := format('evervec_%s_truncate', p_source.name);
    v_partition regclass;
begin
    if p_source.storage = 'column' or p_source.relation_kind <> 'p' then
        return;
    end if;
    for v_partition in
        select p.relid
          from pg_partition_tree(p_source.relation) p
          join pg_class c on c.oid = p.relid and c.relkind in ('r', 'p')
         where p.relid <> p_source.relation
           and not exists (select from pg_trigger t where t.tgrelid = p.relid and t.tgname = v_trigger)
    loop
        execute format('create trigger %I after truncate on %s for each statement execute function evervec.%I()',
                       v_trigger, v_partition, 'log_truncate_' || p_source.name);
    end loop;
end
$$;

comment on function evervec.create_partition_triggers(evervec.source) is
$$Internal. Creates the trigger evervec_<source>_truncate on partitions that lack it.$$;

revoke execute on function evervec.create_partition_triggers(evervec.source) from public;

-- file: functions/track/create_pass_functions.sql
-- create_pass_functions: the generated functions that a pass walks over a source with, slice by slice.
--
-- slice_<source>(after, limit, by hash) → the next rows in key order: ok, missing (no vector), stale (of another model or text, or without its
-- words), archived (its vector was dropped on purpose), empty (neither text nor vector)
-- orphans_<source>(after, limit) → the next vectors in key order: ok or orphan (no row)
--
-- Two branches instead of one condition with OR: each is a plain range scan of the primary key.
-- Locks:  none that matter.
create or replace function evervec.create_pass_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql     record;
    v_body    text := $body$
        begin
            if $1 is null then
                return query %s;
            else
                return query %s;
            end if;
        end
        $body$;
    v_slice   text;
    v_orphans text;
    v_missing text := case when p_source.storage = 'manual' then 'e.stored_model is null' else 'e.stored_hash is null' end;
begin
    select * into v_sql from evervec.fragments(p_source);
    v_slice := format(
        $query$
        select %1$s,
               case when $3 and s."evervec content" is null and %2$s then %11$L
                    when %2$s then 'missing'
                    when e.stored_model is distinct from %3$s then 'stale'
                    %12$s
                    when $3 and sha256(convert_to(s."evervec content", 'UTF8')) is distinct from e.stored_hash then 'stale'
                    when e.archived then 'archived'
                    else 'ok' end
          from (select %4$s, case when $3 then %5$s end as "evervec content"
                  from %6$s s
                 where @condition@
                 order by %4$s
                 limit $2) s
          left join lateral (select %7$s as stored_hash, %8$s as stored_model, %14$s as archived %13$s from %9$s e where %10$s) e on true
         order by %4$s
        $query$,
        evervec.key_call(p_source, 's'), v_missing, p_source.model_id,
        evervec.key_list(p_source, 's'), v_sql.content, v_sql.relation, v_sql.stored_hash, v_sql.stored_model, v_sql.target,
        evervec.key_match(p_source, 'e', true, 's', false), case p_source.storage when 'manual' then 'missing' else 'empty' end,
        case when p_source.text_search is not null then 'when not e.documented then ''stale''' end,
        case when p_source.text_search is not null then format(', e.document is not null %s as documented', case when p_source.bm25 then 'and e.document_text is not null' end) end,
        v_sql.archived);
    v_orphans := format(
        $query$
        select %1$s, case when exists (select from %2$s s where %3$s) then 'ok' else 'orphan' end
          from (select %4$s from %5$s e where @condition@ order by %4$s limit $2) e
         order by %4$s
        $query$,
        evervec.key_call(p_source, 'e', true), v_sql.relation, evervec.key_match(p_source, 's', false, 'e', true),
        evervec.key_list(p_source, 'e', true), v_sql.target);

    perform evervec.create_row_function(
        p_source, 'slice', 'p_after jsonb, p_limit integer, p_by_hash boolean', 'table (row_key jsonb, state text)', true,
        format(v_body, replace(v_slice, '@condition@', 'true'),
               replace(v_slice, '@condition@', format('(%s) > (%s)', evervec.key_list(p_source, 's'),
                                                      evervec.key_decoded(p_source, '$1')))));
    perform evervec.create_row_function(
        p_source, 'orphans', 'p_after jsonb, p_limit integer', 'table (row_key jsonb, state text)', true,
        format(v_body, replace(v_orphans, '@condition@', 'true'),
               replace(v_orphans, '@condition@', format('(%s) > (%s)', evervec.key_list(p_source, 'e', true),
                                                        evervec.key_decoded(p_source, '$1')))));
end
$$;

comment on function evervec.create_pass_functions(evervec.source) is
$$Internal. Creates or replaces slice_<source> and orphans_<source>.$$;

revoke execute on function evervec.create_pass_functions(evervec.source) from public;

-- file: functions/track/create_priority_function.sql
-- create_priority_function: priority_<source>, the priorities of rows by the source's expression, for the fold.
--
-- Out of range is brought into range; a row that is gone, or has no priority, gets NULL.
-- Locks:  none that matter.
create or replace function evervec.create_priority_function(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
begin
    perform evervec.create_row_function(
        p_source, 'priority', 'p_row_keys jsonb[]', 'smallint[]', true,
        format(
            $body$
        begin
            return array(
                select (select least(greatest(%1$s::numeric, 1), 10)::smallint from %2$s s where %3$s)
                  from unnest($1) with ordinality as k (row_key, ordinality)
                 order by k.ordinality);
        end
            $body$,
            evervec.over_row(p_source.relation, p_source.priority_sql),
            (evervec.fragments(p_source)).relation, evervec.key_match(p_source, 's', false)));
end
$$;

comment on function evervec.create_priority_function(evervec.source) is
$$Internal. Creates or replaces priority_<source>.$$;

revoke execute on function evervec.create_priority_function(evervec.source) from public;

-- file: functions/track/create_render_function.sql
-- create_render_function: render_<source>, the texts of rows as they are now and what the stored vectors stand for.
--
-- A text is hashed whole and then cut (p_characters NULL: not), here already, so that nobody ever holds many great texts at once.
-- A session keeps the plan that it made while a table was empty, and rows are looked up by their keys all the same: LIMIT keeps the
-- planner from joining whole tables, the settings from scanning them.
-- An archived row that the source's retention does not call settled any more has no hash here: it is embedded again, though its text is the same.
-- Locks:  none that matter.
-- needs: functions/archive/settled_condition.sql
create or replace function evervec.create_render_function(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql     record;
    v_settled record;
begin
    select * into v_sql from evervec.fragments(p_source);
    select * into v_settled from evervec.settled_condition(p_source);
    if p_source.retention is not null then
        v_sql.stored_hash := format('case when not %s or s.settled and %s then %s end', v_sql.archived, v_settled.of_vector, v_sql.stored_hash);
    end if;
    perform evervec.create_row_function(
        p_source, 'render', 'p_row_keys jsonb[], p_characters integer',
        'table (ordinal integer, present boolean, content text, content_hash bytea, stored_hash bytea, stored_model_id integer)', true,
        format(
            $body$
        begin
            return query
            select k.ordinality::integer, s.present is not null, left(s.content, coalesce($2, 2147483647)),
                   sha256(convert_to(s.content, 'UTF8')), %1$s, %2$s
              from unnest($1) with ordinality as k (row_key, ordinality)
              left join lateral (select true, %3$s, %8$s from %4$s s where %5$s limit 1) as s (present, content, settled) on true
              left join lateral (select e.* from %6$s e where %7$s limit 1) as e on true;
        end
            $body$,
            v_sql.stored_hash, v_sql.stored_model, v_sql.content, v_sql.relation, evervec.key_match(p_source, 's', false),
            v_sql.target, evervec.key_match(p_source, 'e', true),
            v_settled.of_row),
        'set enable_seqscan = off set jit = off');
end
$$;

comment on function evervec.create_render_function(evervec.source) is
$$Internal. Creates or replaces render_<source>.$$;

revoke execute on function evervec.create_render_function(evervec.source) from public;

-- file: functions/track/create_row_function.sql
-- create_row_function: one generated PL/pgSQL function that runs with the rights of the owner of the source's table.
--
-- A user's expression may name a column as we name a variable: the column is meant, and parameters are $1, $2, … in the bodies.
-- Locks:  none that matter.
create or replace function evervec.create_row_function(
    p_source    evervec.source,
    p_prefix    text,
    p_arguments text,
    p_returns   text,
    p_stable    boolean,
    p_body      text,
    p_settings  text default ''
)
returns void
language plpgsql
set search_path from current
as $$
begin
    execute format(
        $sql$
        create or replace function evervec.%I(%s)
        returns %s
        language plpgsql %s
        set search_path from current %s %s
        as $body$
        #variable_conflict use_column
        %s
        $body$
        $sql$,
        p_prefix || '_' || p_source.name, p_arguments, p_returns,
        case when p_stable then 'stable' else 'volatile' end, evervec.pinned_settings(), p_settings, p_body);
    perform evervec.act_as_owner(p_source, (
        select p.oid::regprocedure
          from pg_proc p
         where p.pronamespace = 'evervec'::regnamespace and p.proname = p_prefix || '_' || p_source.name));
end
$$;

comment on function evervec.create_row_function(evervec.source, text, text, text, boolean, text, text) is
$$Internal. Creates or replaces <prefix>_<source> under pinned settings and p_settings (SET clauses), with the rights of the owner of the source's table.$$;

revoke execute on function evervec.create_row_function(evervec.source, text, text, text, boolean, text, text) from public;

-- file: functions/track/create_row_functions.sql
-- create_row_functions: the generated functions through which claim, complete and passes touch a source.
--
-- key_<source>(key columns), canonical_<source>(row_key) → row_key
-- render_<source>(row_keys, characters) → texts as they are now, their hashes, and what the stored vectors stand for
-- write_<source>(row_keys, hashes, vectors) → stores what is still true, says what became of the rest
-- erase_<source>(row_keys) → drops vectors; gives back the positions that a user's transaction holds
-- slice_<source>, orphans_<source> → see create_pass_functions
-- hashes_<source>, clear_<source> → see create_vector_functions
-- archive_<source> → see create_archive_function
-- taste_<source>, taste_of_<source>, centre_<source> → see create_taste_functions
-- sample_<source>(percent, characters) → see create_sample_function
-- document_<source>, redocument_<source> → see create_document_functions
-- priority_<source>(row_keys) → priorities, where the source has an expression for them
-- put_<source>, remove_<source> → see create_manual_functions
--
-- Locks:  none that matter; the functions take ROW SHARE on the source and never wait for a row lock.
create or replace function evervec.create_row_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
begin
    perform evervec.create_key_function(p_source);
    perform evervec.create_render_function(p_source);
    if p_source.storage = 'column' then
        perform evervec.create_column_functions(p_source);
    else
        perform evervec.create_table_functions(p_source);
    end if;
    if p_source.storage = 'manual' then
        perform evervec.create_manual_functions(p_source);
    end if;
    if p_source.text_search is not null then
        perform evervec.create_document_functions(p_source);
    end if;
    perform evervec.create_vector_functions(p_source);
    perform evervec.create_archive_function(p_source);
    perform evervec.create_taste_functions(p_source);
    perform evervec.create_pass_functions(p_source);
    perform evervec.create_sample_function(p_source);
    if p_source.priority_sql is not null then
        perform evervec.create_priority_function(p_source);
    end if;
end
$$;

comment on function evervec.create_row_functions(evervec.source) is
$$Internal. Creates or replaces the functions key_, canonical_, render_, write_, erase_, hashes_, clear_, archive_, taste_, taste_of_, centre_, slice_, orphans_, sample_, document_, redocument_ and priority_<source>.$$;

revoke execute on function evervec.create_row_functions(evervec.source) from public;

-- file: functions/track/create_sample_function.sql
-- create_sample_function: sample_<source>, a share of a source's rows: what their texts would be to a provider, and what is stored of them.
--
-- By whole pages, so that a small share reads little of a large table, of partitions too; the same rows at each call, so that an estimate
-- does not waver. page tells how many pages they were on, from which their share of the table follows whatever the statistics say.
-- Locks:  none that matter.
create or replace function evervec.create_sample_function(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql record;
begin
    select * into v_sql from evervec.fragments(p_source);
    perform evervec.create_row_function(
        p_source, 'sample', 'p_percent real, p_characters integer',
        'table (page text, content_hash bytea, characters integer, bytes integer, stored_hash bytea, stored_model_id integer)', true,
        format(
            $body$
        begin
            return query
            select s."evervec page", sha256(convert_to(s."evervec content", 'UTF8')), length(s."evervec content"),
                   octet_length(convert_to(left(s."evervec content", $2), 'UTF8')), %1$s, %2$s
              from (select %3$s, %4$s as "evervec content", s.tableoid || split_part(s.ctid::text, ',', 1) as "evervec page"
                      from %5$s s tablesample system ($1) repeatable (0)) s
              left join %6$s e on %7$s;
        end
            $body$,
            v_sql.stored_hash, v_sql.stored_model, evervec.key_list(p_source, 's'), v_sql.content, v_sql.relation, v_sql.target,
            evervec.key_match(p_source, 'e', true, 's', false)));
end
$$;

comment on function evervec.create_sample_function(evervec.source) is
$$Internal. Creates or replaces sample_<source>.$$;

revoke execute on function evervec.create_sample_function(evervec.source) from public;

-- file: functions/track/create_search.sql
-- create_search: one generated search function of a source: typed or by row_key, with or without a filter.
--
-- Runs as the caller. Where its columns are others than before it is dropped and made anew, and whoever might execute it may again.
-- Locks:  none that matter.
-- Raises: 2BP01 its columns are others now, and something else, such as a view of a user's, uses it
create or replace function evervec.create_search(
    p_source evervec.source,
    p_name   text,
    p_typed  boolean,
    p_filter evervec.filter default null
)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_owner      regrole := (select c.relowner from pg_class c where c.oid = p_source.relation);
    v_limit      integer := 2 + cardinality(coalesce(p_filter.parameter_names, '{}'));
    -- A key of one column is excluded by its values, others by their row_keys: one that is an array or a row cannot be an element of an array.
    v_plain      boolean := p_typed and cardinality(p_source.key_columns) = 1 and evervec.is_scalar(p_source.key_types[1]);
    v_filter     text := format('filter_%s_%s', p_source.name, p_filter.name);
    -- A page has room for about 8,100 bytes of a vector.
    v_out_of_line boolean := (select m.dimensions * case p_source.vector_type when 'vector' then 4 else 2 end > 8000
                                from evervec.model m where m.model_id = p_source.model_id);
    v_join       text;
    v_visits     text;
    v_columns    record;
    v_definition text;
    v_former     regprocedure;
    v_grantee    text;
    v_grantees   text[];
begin
    select string_agg(format('%I %s', evervec.result_name(c.name, p_filter), c.type), ', ' order by c.ordinality) as names,
           string_agg(c.value, ', ' order by c.ordinality) as found
      into v_columns
      from (
        select k.name, k.type, format('n.key_%s::%s', k.ordinality, k.type), k.ordinality
          from unnest(p_source.key_columns, p_source.key_types) with ordinality as k (name, type, ordinality)
        union all
        select r.name, format_type(a.atttypid, -1), format('s.%I::%s', r.name, format_type(a.atttypid, -1)), 100 + r.ordinality
          from unnest(p_source.return_columns) with ordinality as r (name, ordinality)
          join pg_attribute a on a.attrelid = p_source.relation and a.attname = r.name
      ) as c (name, type, value, ordinality);

    if p_source.search_method = 'none' then
        v_visits := 'null';
    elsif p_filter.name is null and p_source.storage = 'column' and p_source.relation_kind = 'p' then
        -- A partitioned table has no size of its own.
        v_visits := 'v_asked';
    elsif p_filter.name is null then
        -- 20 kB are read and compared in the time of one step of the index. In the user's own table, vectors may be out of line; large ones are.
        v_visits := format('case when %s(%L::regclass) > 20000 * greatest(v_asked, v_ef) then v_asked end',
                           case when p_source.storage = 'column' or v_out_of_line then 'pg_table_size' else 'pg_relation_size' end,
                           evervec.qualified_name(p_source.target));
    end if;
    if p_filter.name is not null then
        select format('join evervec.%I(%s) f on %s',
                      v_filter, string_agg('$' || 1 + p.ordinality, ', ' order by p.ordinality),
                      (select string_agg(format('f.key_%s %s e.%I', k.ordinality, k.operator, k.name), ' and ' order by k.ordinality)
                         from unnest(p_source.target_key_columns, p_source.key_operators) with ordinality as k (name, operator, ordinality))),
               coalesce(v_visits, format(
                      'evervec.index_visits(format(%L%s), %L::regclass, v_asked)',
                      format('select from evervec.%I(%s)', v_filter, string_agg('%L::' || p.type, ', ' order by p.ordinality)),
                      string_agg(', $' || 1 + p.ordinality, '' order by p.ordinality), evervec.qualified_name(p_source.target)))
          into v_join, v_visits
          from unnest(p_filter.parameter_types) with ordinality as p (type, ordinality);
    end if;
    v_definition := format(
        $sql$
        create or replace function evervec.%1$I(p_query vector, %2$s p_limit integer default 10, p_min_similarity real default null,
                                                p_exclude %3$s[] default null, p_diversity real default null)
        returns table (%4$s, similarity real, distance real)
        language plpgsql stable
        set search_path from current set plan_cache_mode = force_generic_plan set enable_sort = off set jit = off
        as $body$ %5$s $body$
        $sql$,
        p_name,
        (select string_agg(format('%I %s,', p.name, p.type), ' ' order by p.ordinality)
           from unnest(p_filter.parameter_names, p_filter.parameter_types) with ordinality as p (name, type, ordinality)),
        case when v_plain then p_source.key_types[1] else 'jsonb' end,
        case when p_typed then v_columns.names else 'row_key jsonb' end,
        evervec.search_body(
            p_source, v_limit,
            -- A subquery is hashed, so that many are left out as fast as few; those of an array would be compared one by one.
            format('%s any (select x.key from unnest($%s) as x (key))',
                   case when v_plain then format('e.%I %s', p_source.target_key_columns[1], p_source.key_operators[1])
                        else evervec.key_call(p_source, 'e', true) || ' =' end, v_limit + 2),
            v_join, v_visits,
            case when p_typed then v_columns.found else (
                select format('evervec.%I(%s)', 'key_' || p_source.name, string_agg(format('n.key_%s::%s', k.ordinality, k.type), ', ' order by k.ordinality))
                  from unnest(p_source.key_types) with ordinality as k (type, ordinality)) end,
            case when p_typed and p_source.return_columns <> '{}' then format(
                -- OFFSET keeps it a look-up for each row found: the planner, which does not know how few they are, would read the whole table.
                'cross join lateral (select s.* from %s s where %s offset 0) s', (evervec.fragments(p_source)).relation, (
                select string_agg(format('s.%I %s n.key_%s::%s', k.name, k.operator, k.ordinality, k.type), ' and ' order by k.ordinality)
                  from unnest(p_source.key_columns, p_source.key_operators, p_source.key_types) with ordinality as k (name, operator, type, ordinality))) end));
    begin
        execute v_definition;
    exception when invalid_function_definition then
        select p.oid::regprocedure, array(
                   select a.grantee::regrole::text from aclexplode(p.proacl) a where a.grantee not in (0, p.proowner))
          into v_former, v_grantees
          from pg_proc p
         where p.pronamespace = 'evervec'::regnamespace and p.proname = p_name;
        if v_former is null then
            raise;
        end if;
        execute format('drop function %s', v_former);
        execute v_definition;
    end;
    execute format('comment on function evervec.%I is %L', p_name, format(
        'Rows of %s nearest to p_query%s, nearest first. Parameters and similarity are those of find_similar. Raises VE201, VE204; warns with VE211.',
        p_source.relation, ' among those of the filter ' || p_filter.name));
    execute format('revoke execute on function evervec.%I from public', p_name);
    foreach v_grantee in array v_grantees || v_owner::text loop
        execute format('grant execute on function evervec.%I to %s', p_name, v_grantee);
    end loop;
end
$$;

comment on function evervec.create_search(evervec.source, text, boolean, evervec.filter) is
$$Internal. Creates or replaces a search function of a source. p_typed: it returns the key and the return columns, otherwise row_key; p_filter: the rows to search among. Raises 2BP01.$$;

revoke execute on function evervec.create_search(evervec.source, text, boolean, evervec.filter) from public;

-- file: functions/track/create_search_function.sql
-- create_search_function: nearest_<source>, the search that inlines into the caller's plan.
--
-- BEGIN ATOMIC and without SET, so that the planner sees an ordinary ORDER BY … LIMIT on the embedding table. What can be wrong with the
-- query vector is checked by a condition on no column, which is evaluated once an execution; a limit that is a constant stays one, so that
-- one plan does for all query vectors. What an index of less than full precision gives is put into order by a sort around it; that finds as much
-- as hnsw.ef_search allows, which is the caller's to set.
-- A body that is parsed at once follows renames, but makes PostgreSQL refuse to drop what it reads. That is right for our own table;
-- over the user's (column storage) the body is text, in which everything is qualified, and inlines too.
-- Locks:  none.
create or replace function evervec.create_search_function(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_dimensions integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
    v_compared   record := evervec.comparison(p_source, p_source.search_precision, format('e.%I', p_source.vector_column), 'p_query');
    v_owner      regrole := (select c.relowner from pg_class c where c.oid = p_source.relation);
    v_limit      text := format('case when p_limit >= 0 then p_limit else evervec.query_limit(p_query, %s, p_limit) end', v_dimensions);
    v_keys       record;
begin
    select string_agg(format('e.%I as key_%s', k.name, k.ordinality), ', ' order by k.ordinality) as found,
           string_agg(format('n.key_%s', k.ordinality), ', ' order by k.ordinality) as result
      into v_keys
      from unnest(p_source.target_key_columns) with ordinality as k (name, ordinality);
    execute format(
        $sql$
        create or replace function evervec.%1$I(p_query vector, p_limit integer default 10)
        returns table (%2$s, distance double precision)
        language sql stable
        %8$s
            %12$s
            select %3$s, %4$s as distance
              from %5$s e
             where %7$s case when %11$I.vector_dims(p_query) = %6$s and (%10$L <> 'cosine' or %11$I.vector_norm(p_query) > 0) then true
                             else evervec.search_size(p_query, %6$s, %10$L, 0, null, null) = 0 end
             order by %13$s
             limit %14$s
            %15$s;
        %9$s
        $sql$,
        'nearest_' || p_source.name,
        (select string_agg(format('%I %s', k.name, t.type), ', ' order by k.ordinality)
           from unnest(p_source.target_key_columns) with ordinality as k (name, ordinality)
           join unnest(p_source.key_types) with ordinality as t (type, ordinality) on t.ordinality = k.ordinality),
        v_keys.found, v_compared.distance, evervec.qualified_name(p_source.target), v_dimensions,
        format('e.%I is not null and', p_source.vector_column),
        case when p_source.storage = 'column' then 'as $nearest$' else 'begin atomic' end,
        case when p_source.storage = 'column' then '$nearest$' else 'end' end,
        p_source.distance, (select n.nspname from pg_extension x join pg_namespace n on n.oid = x.extnamespace where x.extname = 'vector'),
        case when v_compared.ordering <> v_compared.distance then format('select %s, n.distance from (', v_keys.result) end,
        v_compared.ordering, v_limit || coalesce(' * ' || nullif(v_compared.pool, 1), ''),
        case when v_compared.ordering <> v_compared.distance then format(') n order by n.distance limit %s', v_limit) end);
    execute format('comment on function evervec.%I(vector, integer) is %L', 'nearest_' || p_source.name,
                   format('Keys of the rows of %s nearest to p_query (%s dimensions), with the %s distance, nearest first. Raises VE201, VE204.',
                          p_source.relation, v_dimensions, replace(p_source.distance, '_', ' ')));
    execute format('revoke execute on function evervec.%I(vector, integer) from public', 'nearest_' || p_source.name);
    if v_owner <> current_user::regrole then
        execute format('grant execute on function evervec.%I(vector, integer) to %s', 'nearest_' || p_source.name, v_owner);
    end if;
end
$$;

comment on function evervec.create_search_function(evervec.source) is
$$Internal. Creates or replaces nearest_<source>.$$;

revoke execute on function evervec.create_search_function(evervec.source) from public;

-- file: functions/track/create_similar_functions.sql
-- create_similar_functions: find_similar_<source>, typed, and similar_<source>, by row_key, through which find_similar searches it.
--
-- Locks:  none that matter.
-- Raises: 2BP01 as create_search
create or replace function evervec.create_similar_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
begin
    perform evervec.create_search(p_source, 'find_similar_' || p_source.name, true);
    perform evervec.create_search(p_source, 'similar_' || p_source.name, false);
end
$$;

comment on function evervec.create_similar_functions(evervec.source) is
$$Internal. Creates or replaces find_similar_<source> and similar_<source>. Raises 2BP01.$$;

revoke execute on function evervec.create_similar_functions(evervec.source) from public;

-- file: functions/track/create_table_functions.sql
-- create_table_functions: write_<source> and erase_<source> for vectors in a table of their own.
--
-- KEY SHARE keeps the row from being deleted under us; SKIP LOCKED never waits for a user. The text is rendered again under the
-- lock: a vector is stored only for the text that the row has now. Rows are looked up one by one, whatever the plan was made for.
-- Locks:  none that matter.
create or replace function evervec.create_table_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql     record;
    v_keys    record;
    -- Where texts are searched for their words, the recipe is evaluated once for both: OFFSET keeps the planner from copying it.
    v_words   boolean := p_source.text_search is not null;
    v_content text;
begin
    select * into v_sql from evervec.fragments(p_source);
    v_content := case when v_words then 't.content' else v_sql.content end;
    select string_agg(format('s.%I as key_%s', c.name, c.ordinality), ', ' order by c.ordinality) as read,
           string_agg(format('l.key_%s', c.ordinality), ', ' order by c.ordinality) as written,
           evervec.key_list(p_source, null, true) as target
      into v_keys
      from unnest(p_source.key_columns) with ordinality as c (name, ordinality);
    perform evervec.create_row_function(
        p_source, 'write', 'p_row_keys jsonb[], p_hashes bytea[], p_embeddings vector[], p_model_id integer, p_notes text[]',
        'table (ordinal integer, outcome text)', false,
        format(
            $body$
        begin
            return query
            with locked as materialized (
                select k.ordinality, k.content_hash, k.embedding, k.note, s.*
                  from unnest($1, $2, $3, $5) with ordinality
                       as k (row_key, content_hash, embedding, note, ordinality)
                  cross join lateral (
                    select sha256(convert_to(%1$s, 'UTF8')) = k.content_hash as still_true, %2$s %8$s
                      from %3$s s %9$s
                     where %4$s
                       for key share of s skip locked
                  ) s
            ), written as (
                insert into %5$s (content_hash, model_id, embedding, note, %6$s %10$s)
                select l.content_hash, $4, l.embedding, l.note, %7$s %11$s
                  from locked l %13$s
                 where l.still_true
                on conflict (%6$s) do update
                   set content_hash = excluded.content_hash,
                       model_id     = excluded.model_id,
                       embedding    = excluded.embedding,
                       note         = excluded.note,
                       updated_at   = now() %12$s
            )
            select k.ordinality::integer,
                   case when l.still_true then 'completed'
                        when l.ordinality is not null then 'superseded'
                        when exists (select from %3$s s where %4$s) then 'locked'
                        else 'gone' end
              from unnest($1) with ordinality as k (row_key, ordinality)
              left join locked l on l.ordinality = k.ordinality;
        end
            $body$,
            v_content, v_keys.read, v_sql.relation, evervec.key_match(p_source, 's', false), v_sql.target, v_keys.target,
            v_keys.written,
            case when v_words then ', t.content' end,
            case when v_words then format('cross join lateral (select %s as content offset 0) t', v_sql.content) end,
            case when v_words then ', document' end || case when p_source.bm25 then ', document_text' else '' end,
            case when p_source.bm25 then ', d.document, case when d.document is not null then left(l.content, 200000) end'
                 when v_words then format(', evervec.%I(l.content)', 'document_' || p_source.name) end,
            case when v_words then ', document = excluded.document' end
            || case when p_source.bm25 then ', document_text = excluded.document_text' else '' end,
            case when p_source.bm25 then format('cross join lateral (select evervec.%I(l.content) as document offset 0) d',
                                                'document_' || p_source.name) end),
        'set enable_seqscan = off set jit = off' || case when p_source.bm25 then ' set client_min_messages = warning' else '' end);
    perform evervec.create_row_function(
        p_source, 'erase', 'p_row_keys jsonb[]', 'integer[]', false,
        format(
            $body$
        begin
            delete from %1$s d
             where d.ctid in (
                select e.ctid
                  from unnest($1) as k (row_key)
                  join %1$s e on %2$s
                   for update of e skip locked);
            return array(
                select k.ordinality::integer
                  from unnest($1) with ordinality as k (row_key, ordinality)
                 where exists (select from %1$s e where %2$s));
        end
            $body$,
            v_sql.target, evervec.key_match(p_source, 'e', true)));
end
$$;

comment on function evervec.create_table_functions(evervec.source) is
$$Internal. Creates or replaces write_<source> and erase_<source> for table and manual storage.$$;

revoke execute on function evervec.create_table_functions(evervec.source) from public;

-- file: functions/track/create_target.sql
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

-- file: functions/track/create_taste_functions.sql
-- create_taste_functions: the generated functions that make preferences of the vectors of a source, for many people in one statement.
--
-- taste_<source>(persons, row_keys, levels, tastes) → weighted sums, one a person and taste
-- taste_of_<source>(persons, row_keys, sums' persons, sums' tastes, sums) → for each row the taste of its person's that is nearest
-- centre_<source>(percent) → the mean of a share of the vectors, the same at each call
--
-- pgvector has no vector × scalar, and to build a vector of equal elements costs more than all else: so weights come as levels, 64 an
-- octave, whose vectors are built once; level 1 stands for 2^24, and the last one, for 2^-64, is made 1 and not a fraction, which could take
-- an element below what a float holds.
-- The planner takes vectors for short and would sort them by the gigabyte, where few sums are all that a hash table
-- has to hold; for that it takes arrays for long, hence the room.
-- Vectors whose length is 1 (to a ten-thousandth) are not made so again.
-- Locks:  none that matter.
create or replace function evervec.create_taste_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_settings constant text := 'set plan_cache_mode = force_custom_plan set max_parallel_workers_per_gather = 0 set jit = off';
    v_dimensions        integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
    v_target            text := evervec.qualified_name(p_source.target);
    v_match             text := evervec.key_match(p_source, 'e', true);
begin
    perform evervec.create_row_function(
        p_source, 'taste', 'p_persons integer[], p_row_keys jsonb[], p_levels integer[], p_tastes integer[]',
        'table (person integer, taste integer, total vector, weight double precision, balance double precision, length double precision, '
        'sample_size integer, row_keys jsonb[], levels integer[])',
        true,
        format(
            $body$
        begin
            return query
            with level as materialized (
                select f.level, f.factor, array_fill(f.factor::real, array[%1$s])::vector as factors
                  from (select l.level, sign(l.level) * power(2::float8, (5633 - abs(l.level)) / 64.0::float8) as factor
                          from (select distinct l.level from unnest($3) as l (level)) l) f
            )
            select v.person, v.taste,
                   sum(case when v.square between 0.9998 and 1.0002 then v.embedding else l2_normalize(v.embedding) end * l.factors),
                   sum(abs(l.factor)), sum(l.factor), sum(abs(l.factor) * %5$s), count(*)::integer,
                   array_agg(v.row_key) filter (where l.level > 0), array_agg(l.level) filter (where l.level > 0)
              from (select k.person, k.row_key, k.level, k.taste, e.%2$I::vector as embedding,
                           inner_product(e.%2$I::vector, e.%2$I::vector) as square
                      from unnest($1, $2, $3, $4) as k (person, row_key, level, taste)
                      join %3$s e on %4$s
                     where e.%2$I is not null
                    offset 0) v
              join level l on l.level = v.level
             where v.square > 0
             group by v.person, v.taste;
        end
            $body$,
            v_dimensions, p_source.vector_column, v_target, v_match,
            case when p_source.distance in ('l2', 'l1') then 'vector_norm(v.embedding)' else '1' end),
        v_settings || ' set enable_sort = off set hash_mem_multiplier = 4');
    perform evervec.create_row_function(
        p_source, 'taste_of', 'p_persons integer[], p_row_keys jsonb[], p_sum_persons integer[], p_sum_tastes integer[], p_sums vector[]',
        'table (ordinal integer, taste integer, similarity double precision)', true,
        format(
            $body$
        begin
            return query
            select distinct on (v.ordinality) v.ordinality::integer, v.taste, v.similarity
              from (select k.ordinality, s.taste, 1 - (e.%1$I::vector <=> s.total) as similarity
                      from unnest($1, $2) with ordinality as k (person, row_key, ordinality)
                      join %2$s e on %3$s
                      join unnest($3, $4, $5) as s (person, taste, total) on s.person = k.person
                     where e.%1$I is not null) v
             where v.similarity <> 'NaN'
             order by v.ordinality, v.similarity desc, v.taste;
        end
            $body$,
            p_source.vector_column, v_target, v_match),
        v_settings);
    perform evervec.create_row_function(
        p_source, 'centre', 'p_percent real', 'vector', true,
        format(
            $body$
        begin
            return (
                select avg(l2_normalize(e.%1$I::vector))
                  from %2$s e tablesample system ($1) repeatable (0)
                 where inner_product(e.%1$I::vector, e.%1$I::vector) > 0);
        end
            $body$,
            p_source.vector_column, v_target),
        v_settings);
end
$$;

comment on function evervec.create_taste_functions(evervec.source) is
$$Internal. Creates or replaces taste_, taste_of_ and centre_<source>.$$;

revoke execute on function evervec.create_taste_functions(evervec.source) from public;

-- file: functions/track/create_trigger_function.sql
-- create_trigger_function: one trigger function: does nothing for a session that bypasses evervec.
--
-- The bypass is asked for here and not in the trigger's WHEN, which a statement would have to parse and plan anew each time.
-- A column of the user's may bear the name of a variable, such as tg_op: the column is meant.
-- Locks:  none that matter: replacing a function locks no table.
create or replace function evervec.create_trigger_function(p_function text, p_body text, p_pinned boolean default false)
returns regprocedure
language plpgsql
set search_path from current
as $$
begin
    execute format(
        $sql$
        create or replace function evervec.%1$I() returns trigger
        language plpgsql security definer
        set search_path from current %2$s
        as $body$
        #variable_conflict use_column
        begin
            if current_setting('evervec.bypass', true) is distinct from 'on' then
                %3$s
            end if;
            return null;
        end
        $body$
        $sql$,
        p_function, case when p_pinned then evervec.pinned_settings() else '' end, p_body);
    execute format('revoke execute on function evervec.%I() from public', p_function);
    return format('evervec.%I()', p_function)::regprocedure;
end
$$;

comment on function evervec.create_trigger_function(text, text, boolean) is
$$Internal. Creates or replaces evervec.<p_function>(). p_body: PL/pgSQL statements; p_pinned: under pinned settings.$$;

revoke execute on function evervec.create_trigger_function(text, text, boolean) from public;

-- file: functions/track/create_trigger_functions.sql
-- create_trigger_functions: what the triggers of a source do: append to the log, and remove vectors of rows that went.
--
-- They must never fail an application's write, so they lean on no name that may change: the key through changed_keys, the
-- embedding table through a view, which follows a rename. Column storage and foreign keys take vectors away by themselves.
--
-- Locks:  none that matter.
create or replace function evervec.create_trigger_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_by_row   boolean := p_source.relation_kind = 'p';
    v_pinned   boolean := exists (select from evervec.primary_key(p_source.relation) k where k.as_text);
    v_new      text := case when v_by_row then '(select new.*)' else 'evervec_new' end;
    v_old      text := case when v_by_row then '(select old.*)' else 'evervec_old' end;
    v_function record;
begin
    for v_function in
        select f.event, f.changes
          from (values
            ('insert', evervec.changed_keys(p_source, 'I', v_new)),
            ('update', evervec.changed_keys(p_source, 'U', '(select new.*)')),
            ('rekey', concat(evervec.changed_keys(p_source, 'D', '(select old.*)'), ' union all ',
                             evervec.changed_keys(p_source, 'I', '(select new.*)'))),
            ('delete', evervec.changed_keys(p_source, 'D', v_old)),
            ('truncate', format('values (%s, ''T'', null::jsonb)', p_source.source_id))
          ) as f (event, changes)
    loop
        perform evervec.create_log_function(format('log_%s_%s', v_function.event, p_source.name), v_function.changes, v_pinned);
    end loop;
    if p_source.storage <> 'column' and not p_source.foreign_key then
        perform evervec.create_erase_functions(p_source);
    end if;
end
$$;

comment on function evervec.create_trigger_functions(evervec.source) is
$$Internal. Creates or replaces log_insert_, log_update_, log_rekey_, log_delete_, log_truncate_<source>, and the functions of create_erase_functions.$$;

revoke execute on function evervec.create_trigger_functions(evervec.source) from public;

-- file: functions/track/create_triggers.sql
-- create_triggers: the triggers that notice every change of a source.
--
-- INSERT and DELETE: one statement, one INSERT … SELECT, from the transition table. On a partitioned table: row triggers, because
-- statement triggers miss what is written to a partition directly. UPDATE: row triggers that fire only when a watched column
-- (or the key) really changed. Manual storage has no text: only the end of a row matters. Column storage: a vector set to NULL asks for a new one.
-- The vectors of rows that went are removed by triggers of their own, which have other rights (see create_erase_functions).
--
-- Locks:  SHARE ROW EXCLUSIVE on the source's table, which the caller has taken.
create or replace function evervec.create_triggers(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_by_row  boolean := p_source.relation_kind = 'p';
    v_texts   boolean := p_source.storage <> 'manual';
    v_gone    boolean := p_source.storage <> 'column';
    v_erases  boolean := p_source.storage <> 'column' and not p_source.foreign_key;
    v_old     text := case when v_by_row then 'for each row' else 'referencing old table as evervec_old for each statement' end;
    v_rekeyed text := evervec.row_differs(p_source.relation, p_source.key_columns);
    v_trigger record;
begin
    perform evervec.create_trigger_functions(p_source);
    for v_trigger in
        select t.*
          from (values
            ('insert', 'insert', case when v_by_row then 'for each row' else 'referencing new table as evervec_new for each statement' end,
             null, 'log_insert', v_texts),
            ('update', 'update', 'for each row', evervec.row_differs(p_source.relation, p_source.watched_columns), 'log_update',
             v_texts and cardinality(p_source.watched_columns) > 0),
            ('emptied', 'update', 'for each row', format('old.%1$I is not null and new.%1$I is null', p_source.vector_column),
             'log_update', p_source.storage = 'column'),
            ('rekey', 'update', 'for each row', v_rekeyed, 'log_rekey', true),
            ('rekey_erase', 'update', 'for each row', v_rekeyed, 'erase_row', v_erases),
            ('delete', 'delete', v_old, null, 'log_delete', v_gone),
            ('delete_erase', 'delete', v_old, null, case when v_by_row then 'erase_row' else 'erase_rows' end, v_erases),
            ('truncate', 'truncate', 'for each statement', null, 'log_truncate', v_gone),
            -- A partition cannot tell which vectors were its own: only the whole table's TRUNCATE removes any.
            ('clear', 'truncate', 'for each statement', null, 'erase_all', v_erases)
          ) as t (event, operation, level, condition, function, wanted)
         where t.wanted
    loop
        execute format('create trigger %I after %s on %s %s %s execute function evervec.%I()',
                       format('evervec_%s_%s', p_source.name, v_trigger.event), v_trigger.operation, p_source.relation,
                       v_trigger.level, 'when (' || v_trigger.condition || ')', format('%s_%s', v_trigger.function, p_source.name));
    end loop;
    perform evervec.create_partition_triggers(p_source);
    perform evervec.create_dependency_triggers(p_source);
end
$$;

comment on function evervec.create_triggers(evervec.source) is
$$Internal. Creates the triggers evervec_<source>_insert, _update, _emptied, _rekey, _delete, _truncate and those that erase vectors, and those on tables that the recipe depends on.$$;

revoke execute on function evervec.create_triggers(evervec.source) from public;

-- file: functions/track/create_vector_functions.sql
-- create_vector_functions: the generated functions that read and remove the vectors of a source as a whole.
--
-- hashes_<source>(limit) → hashes of the texts that vectors stand for, or stood for before they were archived, of as many rows (NULL: all)
-- clear_<source>() → removes every vector, returns how many there were; archived rows stay as they are
--
-- With the rights of the table's owner, as all else that touches the table: even to plan a query runs functions that its owner has put
-- into indexes and policies.
-- Locks:  none that matter; clear_<source> takes those of TRUNCATE, or of an UPDATE of every row that has a vector.
create or replace function evervec.create_vector_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql record;
begin
    select * into v_sql from evervec.fragments(p_source);
    perform evervec.create_row_function(
        p_source, 'hashes', 'p_limit bigint', 'setof bytea', true,
        format(
            $body$
        begin
            return query select %s from %s e where e.%I is not null or %s limit $1;
        end
            $body$,
            v_sql.stored_hash, v_sql.target, p_source.vector_column, v_sql.archived));
    perform evervec.create_row_function(
        p_source, 'clear', '', 'bigint', false,
        case p_source.storage
            when 'column' then format(
                $body$
        declare
            v_former  text := current_setting('evervec.bypass', true);
            v_cleared bigint;
        begin
            perform set_config('evervec.bypass', 'on', true);
            update %1$s set %2$I = null, %3$I = null where %2$I is not null;
            get diagnostics v_cleared = row_count;
            perform set_config('evervec.bypass', coalesce(v_former, ''), true);
            return v_cleared;
        end
                $body$,
                v_sql.target, p_source.vector_column, p_source.hash_column)
            else format(
                $body$
        declare
            v_cleared bigint := (select count(*) from %1$s e where e.%2$I is not null);
        begin
            if exists (select from %1$s e where %3$s) then
                delete from %1$s e where not %3$s;
            else
                truncate %1$s;
            end if;
            return v_cleared;
        end
                $body$,
                v_sql.target, p_source.vector_column, v_sql.archived)
        end);
end
$$;

comment on function evervec.create_vector_functions(evervec.source) is
$$Internal. Creates or replaces hashes_<source> and clear_<source>.$$;

revoke execute on function evervec.create_vector_functions(evervec.source) from public;

-- file: functions/track/dependents_query.sql
-- dependents_query: the query that leads from logged rows of another table to the row_keys of a source.
--
-- needs: functions/track/key_list.sql
-- Locks:  none.
create or replace function evervec.dependents_query(
    p_source  evervec.source,
    p_columns text[],
    p_types   text[],
    p_keys    text,
    p_changed text
)
returns text
language sql stable
set search_path from current
as $$
    select format(
        E'with changed as (select %s from unnest(%s) as logged (changed)), found (%s) as (%s\n) select distinct evervec.%I(%s) from found',
        (select string_agg(format('(logged.changed->>%L)::%s as %I', c.name, c.type, c.name), ', ' order by c.ordinality)
           from unnest(p_columns, p_types) with ordinality as c (name, type, ordinality)),
        p_changed,
        evervec.key_list(p_source, null), p_keys, 'key_' || p_source.name,
        (select string_agg(format('found.%I::%s', k.name, k.type), ', ' order by k.ordinality)
           from unnest(p_source.key_columns, p_source.key_types) with ordinality as k (name, type, ordinality)))
$$;

comment on function evervec.dependents_query(evervec.source, text[], text[], text, text) is
$$Internal. Query for the distinct row_keys of a source that changed rows of another table lead to; p_changed: SQL for a jsonb[] of logged columns.$$;

revoke execute on function evervec.dependents_query(evervec.source, text[], text[], text, text) from public;

-- file: functions/track/drop_functions.sql
-- drop_functions: removes all generated functions of a source, and its view.
--
-- Locks:  none that matter.
-- Raises: 2BP01 something else, such as a view of a user's, uses one of them
create or replace function evervec.drop_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_function regprocedure;
begin
    for v_function in
        select p.oid
          from pg_proc p
         where p.pronamespace = 'evervec'::regnamespace
           and p.proname = any (evervec.generated_functions(p_source.name))
         order by p.proname = 'key_' || p_source.name
    loop
        execute format('drop function %s', v_function);
    end loop;
    execute format('drop view if exists evervec.%I', 'vector_' || p_source.name);
end
$$;

comment on function evervec.drop_functions(evervec.source) is
$$Internal. Drops the generated functions and the view of a source. Raises 2BP01.$$;

revoke execute on function evervec.drop_functions(evervec.source) from public;

-- file: functions/track/drop_triggers.sql
-- drop_triggers: removes all triggers of a source, on its table, on partitions, and on the tables that its recipe depends on.
--
-- Locks:  ACCESS EXCLUSIVE on these tables, in short attempts: DROP TRIGGER needs it.
-- Raises: 55P03 a table stays locked
create or replace function evervec.drop_triggers(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_trigger record;
begin
    for v_trigger in
        select t.tgname, t.tgrelid::regclass as relation
          from pg_trigger t
          join pg_proc p on p.oid = t.tgfoid
         where not t.tgisinternal and t.tgparentid = 0
           and p.pronamespace = 'evervec'::regnamespace
           and p.proname = any (evervec.generated_functions(p_source.name))
         order by t.tgrelid, t.tgname
    loop
        perform evervec.lock_relation(v_trigger.relation, 'access exclusive');
        execute format('drop trigger %I on %s', v_trigger.tgname, v_trigger.relation);
    end loop;
end
$$;

comment on function evervec.drop_triggers(evervec.source) is
$$Internal. Drops every trigger that calls a generated function of the source. Raises 55P03.$$;

revoke execute on function evervec.drop_triggers(evervec.source) from public;

-- file: functions/track/follow_renames.sql
-- follow_renames: writes the functions of sources anew whose table, schema or columns were renamed, or whose partitions changed.
--
-- The applications' writes have gone on meanwhile: triggers follow renames, or log that they could not name the row. Then all rows
-- are compared, because keys in the queue bear the old names.
-- Locks:  none on the table, but SHARE ROW EXCLUSIVE on new partitions, for half a second at most.
create or replace function evervec.follow_renames(p_sources integer[])
returns void
language plpgsql
set search_path from current
as $$
declare
    v_former evervec.source;
    v_source evervec.source;
    v_filter evervec.filter;
begin
    for v_former in
        select s.*
          from evervec.source s
          join pg_class c on c.oid = s.relation
         where s.source_id = any (p_sources)
           and (evervec.qualified_name(s.relation), evervec.qualified_name(s.target), evervec.attribute_names(s.relation, s.key_attributes),
                evervec.attribute_names(s.relation, s.watched_attributes), evervec.attribute_names(s.relation, s.return_attributes))
               is distinct from (s.relation_name, s.target_name, s.key_columns, s.watched_columns, s.return_columns)
            or s.source_id = any (p_sources)
           and not exists (
               select from pg_index i
                where i.indrelid = s.relation and i.indisprimary
                  and array(select k.attnum
                              from unnest(i.indkey::smallint[]) with ordinality as k (attnum, ordinality)
                             where k.ordinality <= i.indnkeyatts
                             order by k.ordinality) = s.key_attributes)
           for update of s skip locked
    loop
        if evervec.attribute_numbers(v_former.relation, array(
                select k.column_name from evervec.primary_key(v_former.relation) k order by k.ordinal)) <> v_former.key_attributes then
            -- Other columns are the key now. Only new triggers can notice its changes, and they need a lock that is the DBA's to give.
            update evervec.source s
               set state = 'suspended',
                   last_error = format('The primary key of %s is another one now. Call evervec.retrack(%L).', s.relation, s.name)
             where s.source_id = v_former.source_id;
            continue;
        end if;
        begin
            v_source := evervec.with_present_names(v_former);
            v_source := evervec.with_recipe(v_source);
        exception when others then
            v_source := evervec.with_return_columns(evervec.with_key(v_former),
                                                    evervec.attribute_names(v_former.relation, v_former.return_attributes));
            v_source.last_error := sqlerrm;
        end;
        perform evervec.update_source(v_source);
        perform evervec.create_row_functions(v_source);
        if v_source.storage = 'column' then
            perform evervec.create_search_function(v_source);
        end if;
        begin
            perform evervec.create_similar_functions(v_source);
            if v_source.text_search is not null then
                perform evervec.create_hybrid_function(v_source);
            end if;
        exception when others then
            -- A view of somebody's uses a function whose columns are named otherwise now, or two of them would have the same name.
            update evervec.source s set last_error = coalesce(s.last_error, sqlerrm) where s.source_id = v_source.source_id;
        end;
        for v_filter in select * from evervec.filter f where f.source_id = v_source.source_id loop
            begin
                perform evervec.create_filter_functions(v_source, v_filter);
            exception when others then
                -- Its words cannot be followed: doctor tells.
                continue;
            end;
        end loop;
        perform evervec.create_trigger_functions(v_source);
        if v_source.key_columns <> v_former.key_columns then
            delete from evervec.processing_queue q where q.source_id = v_source.source_id;
        end if;
        perform evervec.start_pass(v_source.source_id, 'reconcile');
    end loop;

    for v_source in
        select s.*
          from evervec.source s
         where s.source_id = any (p_sources) and s.relation_kind = 'p'
           and evervec.partitions_of(s.relation) <> s.partitions
           for update of s skip locked
    loop
        begin
            perform evervec.create_partition_triggers(v_source);
        exception when lock_not_available then
            -- The next call tries again.
            continue;
        end;
        update evervec.source s
           set partitions = evervec.partitions_of(s.relation)
         where s.source_id = v_source.source_id;
        perform evervec.start_pass(v_source.source_id, 'reconcile');
    end loop;
end
$$;

comment on function evervec.follow_renames(integer[]) is
$$Internal. Adapts sources to renamed tables and columns and to attached and detached partitions, and starts to compare their rows.$$;

revoke execute on function evervec.follow_renames(integer[]) from public;

-- file: functions/track/get_source.sql
-- get_source: what a caller needs to know about a source to search it.
--
-- Locks:  none.
-- Raises: VE101 unknown source
-- needs: functions/core/source_named.sql
-- needs: functions/core/bm25_schema.sql
-- needs: functions/index/index_of.sql
create or replace function evervec.get_source(p_name text)
returns table (
    name               text,
    relation           text,
    model              text,
    dimensions         integer,
    target             text,
    distance           text,
    key_columns        text[],
    target_key_columns text[],
    state              text,
    text_ranking       text
)
language sql stable security definer
set search_path from current
as $$
    select s.name, s.relation::text, m.name, m.dimensions, s.target::text, s.distance, s.key_columns, s.target_key_columns, s.state,
           case when s.text_search is null then null when b.valid and evervec.bm25_schema() is not null then 'bm25' else 'ts_rank_cd' end
      from evervec.source_named(p_name) s
      left join lateral evervec.index_of(s, 'document_text') b on s.bm25
      join evervec.model m using (model_id)
$$;

comment on function evervec.get_source(text) is
$$One source by its name: table, model, dimensions, embedding table, distance, key columns, state, and what ranks its words: bm25 (of pg_textsearch), ts_rank_cd, or NULL where none are kept. Raises VE101.$$;

revoke execute on function evervec.get_source(text) from public;

-- file: functions/track/is_scalar.sql
-- is_scalar: whether values of a type can be kept in an array and taken out again: not arrays, not rows, not domains over these.
--
-- Locks:  none.
create or replace function evervec.is_scalar(p_type text)
returns boolean
language sql stable
set search_path from current
as $$
    select t.typcategory not in ('A', 'C') from pg_type t where t.oid = to_regtype(p_type)
$$;

comment on function evervec.is_scalar(text) is
$$Internal. Whether values of that type are neither arrays nor rows.$$;

revoke execute on function evervec.is_scalar(text) from public;

-- file: functions/track/key_call.sql
-- key_call: the SQL that builds the row_key of a row: evervec.key_film(s.id).
--
-- Locks:  none.
-- needs: functions/track/key_list.sql
create or replace function evervec.key_call(
    p_source evervec.source,
    p_alias  text,
    p_target boolean default false
)
returns text
language sql immutable
set search_path from current
as $$
    select format('evervec.%I(%s)', 'key_' || p_source.name, evervec.key_list(p_source, p_alias, p_target))
$$;

comment on function evervec.key_call(evervec.source, text, boolean) is
$$Internal. Call of the source's generated key function on a row of the source (or of its embedding table).$$;

revoke execute on function evervec.key_call(evervec.source, text, boolean) from public;

-- file: functions/track/key_decoded.sql
-- key_decoded: the key columns read out of a row_key: (k.row_key->>'id')::integer, …
--
-- Locks:  none.
create or replace function evervec.key_decoded(p_source evervec.source, p_row_key text)
returns text
language sql immutable
set search_path from current
as $$
    select string_agg(format('(%s->>%L)::%s', p_row_key, c.name, c.type), ', ' order by c.ordinality)
      from unnest(p_source.key_columns, p_source.key_types) with ordinality as c (name, type, ordinality)
$$;

comment on function evervec.key_decoded(evervec.source, text) is
$$Internal. Typed key values out of a jsonb expression, as a list.$$;

revoke execute on function evervec.key_decoded(evervec.source, text) from public;

-- file: functions/track/match_index.sql
-- match_index: what another index or vector type of a source means for what is there: stored vectors, and the index in use.
--
-- A standing index of another kind goes on being used until the one that is wanted takes its place; without one there is nothing to wait for.
-- Locks:  with another vector type, ACCESS EXCLUSIVE on the embedding table, taken in attempts of half a second with pauses between them;
--         it is rewritten.
-- Raises: VE111 a vector type that is not that of the user's own column · 55P03 the table stays locked
create or replace function evervec.match_index(p_source evervec.source, p_former evervec.source)
returns evervec.source
language plpgsql
set search_path from current
as $$
declare
    v_dimensions integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
    v_index      regclass;
begin
    if p_source.vector_type <> p_former.vector_type then
        if p_source.storage = 'column' then
            perform evervec.check_option('p_vector_type, with a column of your own,', p_source.vector_type, array[p_former.vector_type]);
        end if;
        perform evervec.lock_relation(p_source.target, 'access exclusive');
        for v_index in select x.index from evervec.vector_indexes(p_source) x loop
            execute format('drop index %s', evervec.qualified_name(v_index));
        end loop;
        execute format('alter table %1$s alter column %2$I type %3$s(%4$s) using %2$I::%3$s(%4$s)', evervec.qualified_name(p_source.target),
                       p_source.vector_column, p_source.vector_type, v_dimensions);
    end if;
    if p_source.index_method = 'none' or not exists (select from evervec.vector_indexes(p_source) x where x.valid) then
        if (p_source.search_method, p_source.search_precision) <> (p_source.index_method, p_source.index_precision) then
            p_source.search_effort := null;
        end if;
        p_source.search_method := p_source.index_method;
        p_source.search_precision := p_source.index_precision;
    end if;
    return p_source;
end
$$;

comment on function evervec.match_index(evervec.source, evervec.source) is
$$Internal. The source with search_method and search_precision set, and its stored vectors of the type that it has now. Raises VE111, 55P03.$$;

revoke execute on function evervec.match_index(evervec.source, evervec.source) from public;

-- file: functions/track/match_key_types.sql
-- match_key_types: gives the key columns of an embedding table the types that the source's key has now.
--
-- Locks:  ACCESS EXCLUSIVE on the embedding table, rewriting it where a type really changes.
create or replace function evervec.match_key_types(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_column record;
begin
    if p_source.storage = 'column' then
        return;
    end if;
    for v_column in
        select t.attname, format_type(s.atttypid, s.atttypmod) as type
          from unnest(p_source.key_columns, p_source.target_key_columns) as k (name, target)
          join pg_attribute s on s.attrelid = p_source.relation and s.attname = k.name
          join pg_attribute t on t.attrelid = p_source.target and t.attname = k.target
         where (s.atttypid, s.atttypmod) <> (t.atttypid, t.atttypmod)
    loop
        execute format('alter table %1$s alter column %2$I type %3$s using %2$I::text::%3$s', p_source.target, v_column.attname,
                       v_column.type);
    end loop;
end
$$;

comment on function evervec.match_key_types(evervec.source) is
$$Internal. ALTER COLUMN TYPE on the embedding table where the type of a key column has changed.$$;

revoke execute on function evervec.match_key_types(evervec.source) from public;

-- file: functions/track/pinned_settings.sql
-- pinned_settings: SET clauses under which a value prints, and reads, the same in every session.
--
-- Locks:  none.
create or replace function evervec.pinned_settings()
returns text
language sql immutable
set search_path from current
as $$
    select 'set timezone = ''UTC'' set datestyle = ''ISO, YMD'' set intervalstyle = ''postgres'' '
           'set extra_float_digits = 1 set bytea_output = ''hex'''
$$;

comment on function evervec.pinned_settings() is
$$Internal. SET clauses of every generated function that renders texts or reads keys.$$;

revoke execute on function evervec.pinned_settings() from public;

-- file: functions/track/result_name.sql
-- result_name: the name that a column of the source has in the result of a generated search function.
--
-- Its own, unless the function has a parameter or a result of that name: a column "distance" is returned as "source_distance".
-- Locks:  none.
create or replace function evervec.result_name(p_column text, p_filter evervec.filter)
returns text
language sql immutable
set search_path from current
as $$
    select case when p_column = any (array['similarity', 'distance', 'p_query', 'p_limit', 'p_min_similarity', 'p_exclude', 'p_diversity']
                                     || p_filter.parameter_names)
                then left('source_' || p_column, 63) else p_column end
$$;

comment on function evervec.result_name(text, evervec.filter) is
$$Internal. Name of a column in the result of find_similar_<source>: its own, or source_<name> where that is taken.$$;

revoke execute on function evervec.result_name(text, evervec.filter) from public;

-- file: functions/track/retrack.sql
-- retrack: makes triggers and functions of a source anew, with the recipe that it has or another one, and compares every row.
--
-- For what suspend made possible, and to change a recipe. The key's types are carried over to the embedding table.
-- Locks:  those of track and untrack; with another p_text_search, p_bm25 or p_vector_type, ACCESS EXCLUSIVE on the embedding table.
-- Raises: VE101 unknown source · VE103, VE104, VE105, VE110, VE111 as track · VE210 as add_filter, of a filter that it has · VE601 bad retention · VE602 as add_views · 55P03 the table stays locked
create or replace function evervec.retrack(
    p_source         text,
    p_columns        text[] default null,
    p_template       text default null,
    p_text_sql       text default null,
    p_where          text default null,
    p_depends_on     jsonb default null,
    p_too_long       text default null,
    p_cache          boolean default null,
    p_return_columns text[] default null,
    p_text_search    text default null,
    p_bm25           boolean default null,
    p_index          text default null,
    p_precision      text default null,
    p_vector_type    text default null,
    p_index_options  jsonb default null,
    p_retention      jsonb default null
)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_source    evervec.source := evervec.source_named(p_source);
    v_former    evervec.source := v_source;
    v_protected boolean;
begin
    perform evervec.check_relation(v_source.relation);
    perform evervec.drop_triggers(v_source);
    perform evervec.discard_views(v_source);
    perform evervec.drop_functions(v_source);
    perform evervec.lock_relation(v_source.relation, 'share row exclusive');
    v_source := evervec.with_present_names(v_source);
    if cardinality(v_source.key_columns) <> cardinality(v_source.target_key_columns) then
        raise exception using
            errcode = 'VE105',
            message = format('the primary key of %s has %s columns now, its vectors'' table %s', v_source.relation,
                             cardinality(v_source.key_columns), cardinality(v_source.target_key_columns)),
            detail  = 'Vectors are kept by the primary key; those that are there name no row any more.',
            hint    = format('SELECT evervec.untrack(%L, p_drop_vectors => true); and track the table again.', p_source);
    end if;
    if num_nonnulls(p_columns, p_template, p_text_sql) > 0 then
        v_source.columns := p_columns;
        v_source.template := p_template;
        v_source.text_sql := p_text_sql;
    end if;
    v_source.condition := nullif(coalesce(p_where, v_source.condition), '');
    v_source.depends_on := coalesce(p_depends_on, v_source.depends_on);
    v_source := evervec.with_retention(v_source, p_retention);
    v_source := evervec.with_recipe(v_source);
    v_source.too_long := coalesce(p_too_long, v_source.too_long);
    v_source.cache := coalesce(p_cache, v_source.cache);
    perform evervec.check_option('p_too_long', v_source.too_long, array['cut', 'dead_letter']);
    v_protected := evervec.is_protected(v_source)
                   or v_source.storage <> 'column' and (select c.relrowsecurity from pg_class c where c.oid = v_source.relation);
    if v_protected then
        perform evervec.drop_policies(v_source, array['evervec_visible']);
    end if;
    perform evervec.match_key_types(v_source);
    v_source := evervec.with_return_columns(v_source, coalesce(p_return_columns, v_source.return_columns));
    v_source := evervec.with_text_search(v_source, p_text_search, p_bm25);
    if (v_source.text_search, v_source.bm25) is distinct from (v_former.text_search, v_former.bm25) then
        perform evervec.create_document(v_source, v_source.text_search is distinct from v_former.text_search, false);
    end if;
    if v_source.state = 'suspended' then
        v_source.state := 'active';
    end if;
    v_source := evervec.with_index(v_source, p_index, p_precision, p_vector_type, p_index_options);
    v_source := evervec.match_index(v_source, v_former);
    v_source.last_error := null;
    perform evervec.update_source(v_source);
    delete from evervec.dependency d where d.source_id = v_source.source_id;
    perform evervec.drop_jobs(v_source.source_id, 'superseded', p_tasks => false);

    perform evervec.create_row_functions(v_source);
    perform evervec.add_dependencies(v_source, v_source.depends_on);
    perform evervec.create_dependents_functions(v_source);
    perform evervec.create_search_functions(v_source);
    perform evervec.renew_signals(v_source);
    perform evervec.create_triggers(v_source);
    if v_protected then
        perform evervec.create_policies(v_source);
    end if;
    if v_former.views is not null then
        perform evervec.create_views(v_source);
    end if;
    perform evervec.renew_access();
    perform evervec.start_pass(v_source.source_id, 'reconcile');
    -- Keys of kept results may be of another type now.
    perform evervec.note_change(v_source.source_id);
end
$$;

comment on function evervec.retrack(text, text[], text, text, text, jsonb, text, boolean, text[], text, boolean, text, text, text, jsonb, jsonb) is
$$Brings a suspended source back, or gives a source another recipe: p_columns, p_template or p_text_sql, p_where, p_depends_on, p_too_long, p_cache, p_return_columns, p_text_search, p_bm25, p_index, p_precision, p_vector_type, p_index_options, p_retention as in track; NULL keeps what it has (p_bm25 with a p_text_search: what track would choose), p_where => '' wants every row, p_text_search => '' no words any more, p_retention => '{}' no retention. Where the words are to be kept by other rules than before, workers write them anew without asking the model, and hybrid_search has only the vectors of a row until then. A worker builds an index of another kind beside the former one, which is used and stands until then; another p_vector_type rewrites the embedding table at once, and drops its index. Vectors stay and are served until their rows have been compared. Raises VE101, VE103, VE104, VE105, VE110, VE111, VE210, VE601, VE602, 55P03.$$;

revoke execute on function evervec.retrack(text, text[], text, text, text, jsonb, text, boolean, text[], text, boolean, text, text, text, jsonb, jsonb) from public;

-- file: functions/track/row_differs.sql
-- row_differs: the WHEN condition of a trigger: some of the columns are not the same bytes as before.
--
-- Every row that is updated pays for it. Where equality is equality of bytes, the type's own operator is asked (text under collation
-- "C"), four times as quick as a record; other types (json, numeric, citext: what is equal may print differently, or has no equality at
-- all) are compared as records, byte by byte, by the function: a dump prints its operator *<> without the casts that it needs, and the restore loses the trigger.
-- Without OF in the trigger, so that what a BEFORE trigger changes is seen too.
--
-- A value out of line (TOAST) that was not touched is the same chunk as before, of the same size, and is not read: from PostgreSQL 17 on;
-- before that, there is nothing to ask, and such values are fetched and compared.
-- Locks:  none.
create or replace function evervec.row_differs(p_relation regclass, p_columns text[])
returns text
language sql stable
set search_path from current
as $$
    with compared as (
        select c.ordinality, a.attname,
               a.attlen = -1 and a.attstorage <> 'p' and current_setting('server_version_num')::integer >= 170000 as toasted,
               case when a.atttypid = any ('{text,varchar}'::regtype[]) then '(old.%1$I collate "C") is distinct from (new.%1$I collate "C")'
                    when a.atttypid = any ('{bool,int2,int4,int8,oid,uuid,date,timestamp,timestamptz,bytea}'::regtype[])
                    then 'old.%1$I is distinct from new.%1$I'
                    else 'pg_catalog.record_image_ne(row(old.%1$I), row(new.%1$I))' end as test
          from unnest(p_columns) with ordinality as c (name, ordinality)
          join pg_attribute a on a.attrelid = p_relation and a.attname = c.name and a.attnum > 0 and not a.attisdropped
    )
    select '(' || string_agg(
               format(case when c.toasted
                           then 'case when pg_catalog.pg_column_toast_chunk_id(old.%1$I) = pg_catalog.pg_column_toast_chunk_id(new.%1$I)'
                                ' and pg_catalog.pg_column_size(old.%1$I) = pg_catalog.pg_column_size(new.%1$I)'
                                ' then false else ' || c.test || ' end'
                           else c.test end, c.attname),
               ' or ' order by c.toasted, c.ordinality) || ')'
      from compared c
$$;

comment on function evervec.row_differs(regclass, text[]) is
$$Internal. SQL condition for the WHEN clause of an UPDATE trigger over these columns of the table.$$;

revoke execute on function evervec.row_differs(regclass, text[]) from public;

-- file: functions/track/search_body.sql
-- search_body: the body of a generated search function, with or without a filter.
--
-- First the n nearest are fetched into arrays. The statement for the index is planned once a session and for any limit, so sorting is
-- made dear to the planner (a SET clause of the function) and the index is what is left. Where it gives fewer rows than are wanted, or is
-- not worth asking, all that qualifies is read; + 0 keeps that from being answered by the index again. Then what was fetched is
-- sorted, because a relaxed iterative scan is only almost in order, and gets threshold, returned columns and diversity, which
-- cannot keep the index from being used any more.
--
-- Of an index that knows only the signs of vectors so many more are asked for (v_asked); sorting by their distances puts them right. ivfflat looks
-- into few of its lists unless told; and with the 40 vectors that hnsw.ef_search holds by default, a search of real texts misses one row in ten of
-- those it should find (`make bench NAME=index`), so it holds 100.
--
-- hnsw.* and ivfflat.* settings are put back by hand (see sql/README.md); after an error PostgreSQL does so. Each setting, statement and expression costs
-- microseconds that show beside a search of half a millisecond: so they are touched where something keeps rows from being found (a filter,
-- policies, rows to leave out), or else when the first go was not enough, as after a mass deletion. Good arguments are told by operators; search_size has the words for bad ones.
--
-- Columns stand behind the aliases e, f, n and s, variables stand alone, and parameters are $1, $2, …: no name of a user's can be taken for
-- one of ours.
--
-- p_limit:    number of the parameter p_limit; p_min_similarity, p_exclude and p_diversity follow
-- p_excluded: condition on e: it is one of those to leave out
-- p_filter:   a join that leaves of e what qualifies, or NULL
-- p_visits:   how many vectors a scan of the index would have to look at; NULL where an exact search is cheaper
-- p_result, p_join: what is returned of n, what was found, and of s, joined to it
-- Locks:  none.
-- needs: functions/search/comparison.sql
-- needs: functions/core/qualified_name.sql
create or replace function evervec.search_body(
    p_source   evervec.source,
    p_limit    integer,
    p_excluded text,
    p_filter   text,
    p_visits   text,
    p_result   text,
    p_join     text
)
returns text
language plpgsql stable
set search_path from current
as $$
declare
    v_dimensions integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
    v_compared   record := evervec.comparison(p_source, p_source.search_precision, format('e.%I', p_source.vector_column), '$1');
    v_target     text := evervec.qualified_name(p_source.target);
    v_reach      text := format('(greatest(v_visits, v_asked) + coalesce(cardinality($%s), 0))', p_limit + 2);
    v_lists      boolean := p_source.search_method = 'ivfflat';
    v_setting    text := case when v_lists then 'ivfflat.probes' else 'hnsw.ef_search' end;
    v_mode       text := case when v_lists then 'ivfflat.iterative_scan' else 'hnsw.iterative_scan' end;
    v_keys       record;
    v_fetch      text;
    v_found      text;
begin
    -- There are no arrays of arrays, and unnest takes rows to pieces: such a key is kept as text.
    select string_agg(format('v_key_%s %s[];', k.ordinality, t.held), ' ' order by k.ordinality) as declared,
           string_agg(format('v_key_%s', k.ordinality), ', ' order by k.ordinality) as variables,
           string_agg(format('key_%s', k.ordinality), ', ' order by k.ordinality) as names,
           string_agg(format('array_agg(n.key_%s)', k.ordinality), ', ' order by k.ordinality) as collected,
           string_agg(format('e.%I::%s as key_%s', k.name, t.held, k.ordinality), ', ' order by k.ordinality) as fetched,
           string_agg(format('e.%I', k.name), ', ' order by k.ordinality) as stored,
           string_agg(format('e.%I %s n.key_%s::%s', k.name, k.operator, k.ordinality, k.type), ' and ' order by k.ordinality) as matched,
           string_agg(format('n.key_%s::%s', k.ordinality, k.type), ', ' order by k.ordinality) as found
      into v_keys
      from unnest(p_source.target_key_columns, p_source.key_types, p_source.key_operators) with ordinality as k (name, type, operator, ordinality)
      cross join lateral (select case when evervec.is_scalar(k.type) then k.type else 'text' end as held) t;
    v_fetch := format(
        $sql$
            select %1$s, array_agg(n.distance)
              into %2$s, v_distance
              from (
                select %3$s, %4$s as distance
                  from %5$s e %6$s
                 where %7$s ($%8$s is null or (%9$s) is not true)
        $sql$,
        v_keys.collected, v_keys.variables, v_keys.fetched, v_compared.distance, v_target, p_filter,
        format('e.%I is not null and', p_source.vector_column), p_limit + 2, p_excluded);
    v_found := format(
        $sql$
                select n.*, (%1$s)::real as similarity
                  from unnest(%2$s, v_distance) as n (%3$s, distance)
                 where n.distance <> 'NaN' and ($%4$s is null or (%1$s)::real >= $%4$s)
        $sql$,
        format(v_compared.similarity, 'n.distance'), v_keys.variables, v_keys.names, p_limit + 1);
    return format(
        $body$
        #variable_conflict use_variable
        declare
            v_fetch   bigint := case when vector_dims($1) = %1$s and (%2$L <> 'cosine' or vector_norm($1) > 0) and $%3$s >= 0
                                         and ($%4$s is null or $%4$s <> 'NaN') and $%6$s is null then $%3$s
                                    else evervec.search_size($1, %1$s, %2$L, $%3$s, $%4$s, $%6$s) end;
            v_asked   bigint := v_fetch%22$s;
            v_former  bigint := current_setting(%23$L)::bigint;
            v_ef      bigint := coalesce(nullif(current_setting('evervec.search_effort', true), '')::bigint, %24$s);
            v_visits  bigint := %7$s;
            v_scan    text;
            v_done    text;
            v_iterate boolean;
            %8$s
            v_distance double precision[];
        begin
            if v_visits is not null then
                v_iterate := %17$s;
                loop
                    if v_iterate then
                        v_scan := current_setting(%25$L);
                        v_done := set_config(%25$L, 'relaxed_order', true) || set_config(%23$L, (%26$s)::text, true);
                    end if;
                    %9$s
                     order by %18$s
                     limit v_asked
                  ) n;
                    exit when v_iterate or cardinality(v_distance) >= v_asked;
                    v_iterate := true;
                end loop;
                if v_iterate then
                    v_done := set_config(%25$L, v_scan, true) || set_config(%23$L, v_former::text, true);
                end if;
            end if;
            if v_visits is null
               or coalesce(cardinality(v_distance), 0) < v_fetch and evervec.may_search_exactly(coalesce(cardinality(v_distance), 0), v_fetch) then
                %11$s
                %9$s
                 order by (%10$s) + 0, %12$s
                 limit v_fetch
              ) n;
            end if;
            if $%6$s is null then
                return query
                select %13$s, n.similarity, n.distance::real
                  from (%14$s) n %15$s
                 order by n.distance, %16$s
                 limit $%3$s;
            else
                return query
                with candidate as materialized (
                    select n.*, e.embedding, row_number() over (order by n.distance, %16$s) as place
                      from (%14$s%27$s) n
                      cross join lateral (select e.%19$I::vector as embedding from %20$s e where %21$s offset 0) e
                )
                select %13$s, n.similarity, n.distance::real
                  from unnest(evervec.diversify(
                           (select array_agg(n.embedding order by n.place) from candidate n),
                           (select array_agg(n.similarity order by n.place) from candidate n),
                           %2$L, $%3$s, $%6$s)) with ordinality as d (place, ordinal)
                  join candidate n on n.place = d.place %15$s
                 order by d.ordinal;
            end if;
        end
        $body$,
        v_dimensions, p_source.distance, p_limit, p_limit + 1, p_limit + 2, p_limit + 3, p_visits,
        v_keys.declared, v_fetch, v_compared.distance,
        -- What is best depends on the values that a filter gets.
        case when p_filter is not null then 'v_done := set_config(''plan_cache_mode'', ''force_custom_plan'', true);' end,
        v_keys.stored, p_result, v_found, p_join, v_keys.found,
        case when p_filter is not null or v_lists then 'true'
             else format('%s > v_ef or v_ef <> v_former or cardinality($%s) > 0 or row_security_active(%L::regclass)', v_reach, p_limit + 2, v_target) end,
        v_compared.ordering,
        p_source.vector_column, v_target, v_keys.matched,
        ' * ' || nullif(v_compared.pool, 1), v_setting,
        case when p_source.search_effort is not null then p_source.search_effort::text
             when v_lists then format('greatest(v_former, evervec.list_probes(%L::regclass))', v_target)
             else 'greatest(v_former, 100)' end,
        v_mode,
        case when v_lists then 'v_ef' else format('greatest(v_ef, least(%s, 1000))', v_reach) end,
        case when v_compared.pool > 1 then format(' order by n.distance, %s limit v_fetch', v_keys.found) end);
end
$$;

comment on function evervec.search_body(evervec.source, integer, text, text, text, text, text) is
$$Internal. PL/pgSQL of a search over a source, for create_search.$$;

revoke execute on function evervec.search_body(evervec.source, integer, text, text, text, text, text) from public;

-- file: functions/track/suspend.sql
-- suspend: takes a source's triggers away, so that ALTER TABLE may drop or retype the columns that they name; retrack brings them back.
--
-- Changes are not noticed meanwhile; retrack compares the whole source. A policy that asks for the key would be in the way too: until
-- retrack, vectors that are protected are in sight of their owner alone.
-- Locks:  ACCESS EXCLUSIVE on the table, and on an embedding table that is protected, taken in attempts of half a second with pauses
--         between them.
-- Raises: VE101 unknown source · 55P03 the table stays locked
create or replace function evervec.suspend(p_source text)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    perform evervec.drop_triggers(v_source);
    perform evervec.discard_views(v_source);
    if evervec.is_protected(v_source) then
        perform evervec.drop_policies(v_source, array['evervec_visible']);
    end if;
    update evervec.source s set state = 'suspended' where s.source_id = v_source.source_id;
end
$$;

comment on function evervec.suspend(text) is
$$Takes the triggers of a source, and the views of add_views, away, so that columns which they name can be dropped or retyped; vectors stay and are served, those that are protected (see protect) only to their owner. evervec.retrack brings them back. Locks the table ACCESS EXCLUSIVE for a moment. Raises VE101, 55P03.$$;

revoke execute on function evervec.suspend(text) from public;

-- file: functions/track/target_column_name.sql
-- target_column_name: the name that a key column has in the embedding table and in search results.
--
-- Its own, unless evervec needs that name for itself: a key column "embedding" becomes "key_embedding".
-- Locks:  none.
create or replace function evervec.target_column_name(p_column text)
returns text
language sql immutable
set search_path from current
as $$
    select case when p_column in ('content_hash', 'model_id', 'embedding', 'created_at', 'updated_at', 'note', 'document', 'document_text',
                                  'metadata', 'distance', 'similarity', 'p_query', 'p_limit')
                then left('key_' || p_column, 63) else p_column end
$$;

comment on function evervec.target_column_name(text) is
$$Internal. Name of a key column in the embedding table: its own, or key_<name> where evervec has a column of that name.$$;

revoke execute on function evervec.target_column_name(text) from public;

-- file: functions/track/template_parts.sql
-- template_parts: a template taken apart into literal text and {column} holes.
--
-- {column|text} has a default for a blank value. {{ and }} stand for single braces. Everything else in braces is a column's name,
-- as it is spelled in the catalog.
-- Locks:  none.
-- Raises: VE104 unbalanced brace or an empty hole
create or replace function evervec.template_parts(p_template text)
returns table (ordinal bigint, literal text, hole text, fallback text)
language plpgsql immutable strict
set search_path from current
as $$
declare
    v_part record;
begin
    for v_part in
        select m.ordinality, m.match[1] as part
          from regexp_matches(p_template, '(\{\{|\}\}|\{[^{}]*\}|[^{}]+|.)', 'g') with ordinality as m (match, ordinality)
         order by m.ordinality
    loop
        ordinal := v_part.ordinality;
        literal := null;
        hole := null;
        fallback := null;
        case
            when v_part.part in ('{{', '}}') then
                literal := left(v_part.part, 1);
            when v_part.part ~ '^\{\s*(\|.*)?\}$' or v_part.part in ('{', '}') then
                raise exception using
                    errcode = 'VE104',
                    message = case when v_part.part in ('{', '}')
                                   then format('unbalanced "%s" in the template', v_part.part)
                                   else 'a hole in the template names no column' end,
                    detail  = format('Template: %s', left(p_template, 200)),
                    hint    = 'Write {column} for a column, {column|default} for one that may be empty, {{ and }} for single braces.';
            when v_part.part like '{%' then
                hole := regexp_replace(substr(v_part.part, 2, length(v_part.part) - 2), '\|.*$', '');
                fallback := substring(v_part.part, '^[^|]*\|(.*)\}$');
            else
                literal := v_part.part;
        end case;
        return next;
    end loop;
end
$$;

comment on function evervec.template_parts(text) is
$$Internal. The parts of a template in order: literal text, or the column that a {hole} names and its default. Raises VE104.$$;

revoke execute on function evervec.template_parts(text) from public;

-- file: functions/track/template_text.sql
-- template_text: a template as an SQL expression over row s; NULL when all its holes are blank.
--
-- needs: functions/track/template_parts.sql
-- needs: functions/track/column_text.sql
-- Locks:  none.
-- Raises: VE104 malformed template
create or replace function evervec.template_text(p_relation regclass, p_template text)
returns text
language sql stable
set search_path from current
as $$
    with part as (
        select t.ordinal, t.literal, evervec.column_text(p_relation, t.hole) as hole, t.fallback
          from evervec.template_parts(p_template) t
    )
    select format('case when concat(%s) ~ ''\S'' then %s end',
                  string_agg(p.hole, ', ' order by p.ordinal),
                  string_agg(case when p.literal is not null then quote_literal(p.literal)
                                  when p.fallback is not null
                                  then format('case when %1$s ~ ''\S'' then %1$s else %2$L end', p.hole, p.fallback)
                                  else p.hole end, ' || ' order by p.ordinal))
      from part p
$$;

comment on function evervec.template_text(regclass, text) is
$$Internal. The recipe of p_template as an SQL expression over row s. Raises VE104.$$;

revoke execute on function evervec.template_text(regclass, text) from public;

-- file: functions/track/track.sql
-- track: everything that one table needs: a place for its vectors, generated functions, triggers, and the start of its backfill.
--
-- Locks:  SHARE ROW EXCLUSIVE on the table, and on those in p_depends_on (writers wait, readers do not), taken in attempts of half
--         a second with pauses between them and held to the end of the transaction; with p_storage 'column', ACCESS EXCLUSIVE on the
--         table where columns are added. Nothing is read from the table.
-- Raises: VE102 name taken · VE103 unknown column · VE104 bad recipe · VE105 not a table with a primary key ·
--         VE106 name too long · VE107 embedding table exists, or a column of that name has another type · VE108 unknown model ·
--         VE110 not permitted · VE111 unknown option · VE601 bad retention · 55P03 the table stays locked
create or replace function evervec.track(
    p_relation        regclass,
    p_columns         text[] default null,
    p_template        text default null,
    p_model           text default 'local',
    p_name            text default null,
    p_distance        text default 'cosine',
    p_index           text default 'hnsw',
    p_backfill        boolean default true,
    p_priority        anycompatible default 5,
    p_text_sql        text default null,
    p_where           text default null,
    p_depends_on      jsonb default null,
    p_storage         text default 'table',
    p_storage_columns jsonb default null,
    p_foreign_key     boolean default false,
    p_too_long        text default 'cut',
    p_cache           boolean default true,
    p_return_columns  text[] default null,
    p_text_search     text default null,
    p_bm25            boolean default null,
    p_precision       text default null,
    p_vector_type     text default 'vector',
    p_index_options   jsonb default '{}',
    p_retention       jsonb default null
)
returns text
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source;
    v_model  evervec.model;
begin
    perform evervec.check_relation(p_relation);
    v_source.name := coalesce(p_name, (select c.relname from pg_class c where c.oid = p_relation));
    perform evervec.check_name(v_source.name);
    v_model := evervec.model_named(p_model);
    perform evervec.check_option('p_distance', p_distance, array['cosine', 'l2', 'inner_product', 'l1']);
    perform evervec.check_option('p_storage', p_storage, array['table', 'column', 'manual']);
    perform evervec.check_option('p_too_long', p_too_long, array['cut', 'dead_letter']);
    if p_foreign_key and p_storage = 'column' then
        perform evervec.check_option('p_foreign_key with p_storage ''column''', p_foreign_key::text, array['false']);
    end if;

    v_source.relation := p_relation;
    v_source.model_id := v_model.model_id;
    v_source.columns := p_columns;
    v_source.template := p_template;
    v_source.text_sql := p_text_sql;
    v_source.condition := p_where;
    v_source.depends_on := coalesce(p_depends_on, '{}');
    v_source.storage := p_storage;
    v_source.foreign_key := p_foreign_key;
    v_source.too_long := p_too_long;
    v_source.cache := p_cache;
    v_source.distance := p_distance;
    v_source := evervec.with_index(v_source, p_index, p_precision, p_vector_type, p_index_options);
    v_source.search_method := v_source.index_method;
    v_source.search_precision := v_source.index_precision;
    v_source := evervec.with_priority(v_source, p_priority::text);
    v_source := evervec.with_text_search(v_source, p_text_search, p_bm25);
    v_source := evervec.with_retention(v_source, p_retention);
    v_source := evervec.with_recipe(v_source);

    perform evervec.lock_relation(p_relation, 'share row exclusive');
    v_source := evervec.with_key(v_source);
    v_source := evervec.with_return_columns(v_source, p_return_columns);
    if p_storage = 'column' then
        v_source := evervec.with_columns(v_source, p_storage_columns, v_model.dimensions);
    else
        v_source.target := evervec.create_target(v_source, v_model.dimensions);
    end if;
    v_source := evervec.add_source(v_source);
    if v_source.text_search is not null then
        perform evervec.create_document(v_source, true, true);
    end if;
    perform evervec.create_row_functions(v_source);
    perform evervec.add_dependencies(v_source, v_source.depends_on);
    perform evervec.create_dependents_functions(v_source);
    perform evervec.create_search_functions(v_source);
    perform evervec.create_triggers(v_source);
    if p_storage <> 'column' and (select c.relrowsecurity from pg_class c where c.oid = p_relation) then
        perform evervec.create_policies(v_source);
    end if;
    perform evervec.renew_access();
    if p_backfill and p_storage <> 'manual' then
        perform evervec.backfill(v_source.name);
    end if;
    return v_source.name;
end
$$;

comment on function evervec.track(regclass, text[], text, text, text, text, text, boolean, anycompatible, text, text, jsonb, text, jsonb, boolean, text, boolean, text[], text, boolean, text, text, jsonb, jsonb) is
$$Tracks a table and returns the name of the source. The text of a row, one of: p_columns, joined as "Name: value" lines; p_template, a text with {column} or {column|default} holes; p_text_sql, an SQL expression or query over the row, which is called by its table's name. p_model: see add_model. p_name: default the table's name. p_distance: cosine, l2, inner_product or l1. p_index: hnsw, ivfflat or none; built once vectors are there. p_precision: what the index knows of a vector: full (up to 2,000 dimensions), half (two bytes a member, up to 4,000), or bit (the signs of its members, any number; what it finds is ranked by the vectors themselves; not with l1); default: the first of these that the dimensions allow. p_vector_type: type of the stored vectors: vector, or halfvec, with members of two bytes and no more than half as precision. p_index_options: m (2 to 100) and ef_construction (4 to 1,000) for hnsw; lists (1 to 32,768; default: chosen from the number of rows) for ivfflat; with bit, rerank (1 to 1,000, default 20): how many times more rows than are wanted the index is asked for. p_backfill: also embed the rows that are there already. p_priority: 1 (highest) to 10, or an SQL expression over the row. p_where: condition over the row; rows that do not meet it have no vector. p_depends_on: other tables that the recipe reads and how their rows lead to ours. p_storage: table, column (columns of the table itself, named by p_storage_columns) or manual (vectors come by put_embedding). p_foreign_key: vectors go by ON DELETE CASCADE instead of triggers. p_too_long: what becomes of a text beyond the model's limit: cut, with a note beside the vector, or dead_letter. p_cache: whether vectors of its texts are kept by hash, apart from the row, so that the same text is not paid for again (see cache_delete). p_return_columns: columns of the table that find_similar_<source> returns beside the key. p_text_search: a configuration of full text search, such as english or simple: the words of each text are kept beside its vector, for hybrid_search; who may read the embedding table can read them. p_bm25: whether pg_textsearch ranks what the words find, for which the texts are kept too; default where that extension is installed. p_retention: which rows are archived by themselves, an object of older_than (an interval), column (the column of the table that it counts from; default: since the vector was stored) and where (a condition over the row); see archive. Locks the table SHARE ROW EXCLUSIVE for a moment. Raises VE102 to VE108, VE110, VE111, VE601, 55P03.$$;

revoke execute on function evervec.track(regclass, text[], text, text, text, text, text, boolean, anycompatible, text, text, jsonb, text, jsonb, boolean, text, boolean, text[], text, boolean, text, text, jsonb, jsonb) from public;

-- file: functions/track/untrack.sql
-- untrack: takes back all that track made, and the views of add_views; the vectors stay unless they are to go.
--
-- Locks:  ACCESS EXCLUSIVE on the table, taken in attempts of half a second with pauses between them: DROP TRIGGER needs it.
-- Raises: VE101 unknown source · 55P03 the table stays locked · 2BP01 something else uses a generated function
create or replace function evervec.untrack(p_source text, p_drop_vectors boolean default false)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    perform evervec.drop_triggers(v_source);
    perform evervec.discard_views(v_source);
    perform evervec.drop_functions(v_source);
    if p_drop_vectors and exists (select from pg_class c where c.oid = v_source.target) then
        if v_source.storage = 'column' then
            perform evervec.lock_relation(v_source.target, 'access exclusive');
            execute (
                select format('alter table %s %s', v_source.target, string_agg(format('drop column if exists %I', c.name), ', '))
                  from unnest(array[v_source.vector_column, v_source.hash_column, v_source.model_column, v_source.time_column,
                                    v_source.version_column]) as c (name)
                 where c.name is not null);
        else
            execute format('drop table %s', v_source.target);
        end if;
    end if;
    perform evervec.drop_jobs(v_source.source_id, 'gone', p_tasks => true);
    update evervec.dead_letter d
       set resolved_at = now(), resolved_by = 'untrack', note = format('source "%s" is not tracked any more', v_source.name)
     where d.source_id = v_source.source_id and d.resolved_at is null;
    delete from evervec.source s where s.source_id = v_source.source_id;
end
$$;

comment on function evervec.untrack(text, boolean) is
$$Removes triggers, generated functions, views and jobs of a source. p_drop_vectors: its embedding table, or the columns of column storage, too (default: they stay). Locks the table ACCESS EXCLUSIVE for a moment. Raises VE101, 55P03, 2BP01.$$;

revoke execute on function evervec.untrack(text, boolean) from public;

-- file: functions/track/update_source.sql
-- update_source: stores what may change about a source: names, key, recipe, state.
--
-- Locks:  ROW EXCLUSIVE on evervec.source.
create or replace function evervec.update_source(p_source evervec.source)
returns void
language sql
set search_path from current
as $$
    update evervec.source s
       set relation_name      = p_source.relation_name,
           target_name        = evervec.qualified_name(s.target),
           partitions         = p_source.partitions,
           key_columns        = p_source.key_columns,
           key_attributes     = p_source.key_attributes,
           key_types          = p_source.key_types,
           key_operators      = p_source.key_operators,
           target_key_columns = p_source.target_key_columns,
           columns            = p_source.columns,
           template           = p_source.template,
           text_sql           = p_source.text_sql,
           condition          = p_source.condition,
           depends_on         = p_source.depends_on,
           watched_columns    = p_source.watched_columns,
           watched_attributes = p_source.watched_attributes,
           text_expression    = p_source.text_expression,
           too_long           = p_source.too_long,
           cache              = p_source.cache,
           return_columns     = p_source.return_columns,
           return_attributes  = p_source.return_attributes,
           text_search        = p_source.text_search,
           bm25               = p_source.bm25,
           vector_type        = p_source.vector_type,
           index_method       = p_source.index_method,
           index_precision    = p_source.index_precision,
           index_options      = p_source.index_options,
           search_method      = p_source.search_method,
           search_precision   = p_source.search_precision,
           search_effort      = p_source.search_effort,
           retention          = p_source.retention,
           state              = p_source.state,
           last_error         = p_source.last_error
     where s.source_id = p_source.source_id
$$;

comment on function evervec.update_source(evervec.source) is
$$Internal. Stores the changeable members of a source.$$;

revoke execute on function evervec.update_source(evervec.source) from public;

-- file: functions/track/vanished_vectors.sql
-- vanished_vectors: USING and WHERE of the DELETE by which a trigger removes the vectors e of rows that went.
--
-- A column that has taken the key's name but not its type names no vector. The way over text makes that no parse error, and the way
-- over to_jsonb, which is not immutable, keeps the planner from trying the cast beforehand.
-- Locks:  none.
-- needs: functions/track/key_match.sql
-- needs: functions/track/key_decoy.sql
create or replace function evervec.vanished_vectors(p_source evervec.source, p_rows text)
returns text
language sql stable
set search_path from current
as $$
    select format('using (select %s from %s o, %s) as gone where %s',
                  string_agg(format('(select case when pg_typeof(%1$I) = %2$L::regtype then (to_jsonb(%1$I::text) #>> ''{}'')::%2$s end '
                                    'from (select o.*) as changed) as %1$I', c.name, c.type), ', ' order by c.ordinality),
                  p_rows,
                  evervec.key_decoy(p_source),
                  evervec.key_match(p_source, 'e', true, 'gone', false))
      from unnest(p_source.key_columns, p_source.key_types) with ordinality as c (name, type, ordinality)
$$;

comment on function evervec.vanished_vectors(evervec.source, text) is
$$Internal. SQL after DELETE FROM the embedding table e: those of the rows in p_rows, whose key columns may have been renamed: see key_decoy.$$;

revoke execute on function evervec.vanished_vectors(evervec.source, text) from public;

-- file: functions/track/with_columns.sql
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

-- file: functions/track/with_index.sql
-- with_index: a source with the type of its stored vectors and the index over them that are wanted; NULL keeps what it has.
--
-- An index takes vectors of up to 2,000 dimensions as they are, of up to 4,000 with members of two bytes (half), and more by their signs (bit).
-- Signs tell directions: they say nothing of what is near by l1. ivfflat does not know l1 at all.
-- Locks:  none.
-- Raises: VE111 an option has a value that it does not take, or not with the others
create or replace function evervec.with_index(
    p_source      evervec.source,
    p_index       text,
    p_precision   text,
    p_vector_type text,
    p_options     jsonb
)
returns evervec.source
language plpgsql stable
set search_path from current
as $$
declare
    v_dimensions integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
    v_former     evervec.source := p_source;
    v_allowed    text[];
    v_most       jsonb;
    v_option     record;
begin
    p_source.index_method := coalesce(p_index, p_source.index_method);
    p_source.vector_type := coalesce(p_vector_type, p_source.vector_type);
    perform evervec.check_option('p_index', p_source.index_method, array['hnsw', 'ivfflat', 'none']);
    perform evervec.check_option('p_vector_type', p_source.vector_type, array['vector', 'halfvec']);
    p_source.index_precision := coalesce(
        p_precision,
        case when p_source.vector_type = v_former.vector_type then v_former.index_precision end,
        evervec.default_precision(p_source));
    v_allowed := array['full', 'half', 'bit'];
    perform evervec.check_option('p_precision', p_source.index_precision, v_allowed);
    if p_source.index_method <> 'none' then
        if p_source.vector_type = 'halfvec' or v_dimensions > 2000 then
            v_allowed := array_remove(v_allowed, 'full');
        end if;
        if v_dimensions > 4000 then
            v_allowed := array_remove(v_allowed, 'half');
        end if;
        if p_source.distance = 'l1' then
            v_allowed := array_remove(v_allowed, 'bit');
        end if;
        if p_source.distance = 'l1' and (p_source.index_method = 'ivfflat' or v_dimensions > 4000) then
            perform evervec.check_option(
                format('p_index, with %s dimensions and distance l1,', v_dimensions), p_source.index_method,
                case when v_dimensions > 4000 then array['none'] else array['hnsw', 'none'] end);
        end if;
        perform evervec.check_option(
            format('p_precision, with %s dimensions of type %s and distance %s,', v_dimensions, p_source.vector_type, p_source.distance),
            p_source.index_precision, v_allowed);
    end if;

    p_source.index_options := coalesce(
        p_options,
        case when (p_source.index_method, p_source.index_precision) = (v_former.index_method, v_former.index_precision)
             then v_former.index_options end,
        '{}');
    if jsonb_typeof(p_source.index_options) <> 'object' then
        perform evervec.check_option('p_index_options', p_source.index_options::text, array['a JSON object']);
    end if;
    v_most := case p_source.index_method when 'hnsw' then '{"m": [2, 100], "ef_construction": [4, 1000]}'
                                         when 'ivfflat' then '{"lists": [1, 32768]}' else '{}' end::jsonb
              || case when p_source.index_method <> 'none' and p_source.index_precision = 'bit' then '{"rerank": [1, 1000]}' else '{}' end::jsonb;
    for v_option in select o.key, o.value, v_most -> o.key as range from jsonb_each(p_source.index_options) as o (key, value) loop
        if v_option.range is null then
            perform evervec.check_option(
                format('a member of p_index_options, with p_index %s and p_precision %s,', p_source.index_method, p_source.index_precision),
                v_option.key, array(select jsonb_object_keys(v_most)));
        elsif (v_option.value::text ~ '^\d{1,5}$'
               and v_option.value between v_option.range -> 0 and v_option.range -> 1) is not true then
            perform evervec.check_option(format('p_index_options, %s,', v_option.key), v_option.value::text,
                                         array[format('a whole number from %s to %s', v_option.range -> 0, v_option.range -> 1)]);
        end if;
    end loop;
    -- pgvector's own rule, and its defaults.
    if p_source.index_method = 'hnsw'
       and coalesce((p_source.index_options ->> 'ef_construction')::integer, 64) < 2 * coalesce((p_source.index_options ->> 'm')::integer, 16) then
        perform evervec.check_option('p_index_options, ef_construction,', coalesce(p_source.index_options ->> 'ef_construction', '64'),
                                     array['at least twice m']);
    end if;
    return p_source;
end
$$;

comment on function evervec.with_index(evervec.source, text, text, text, jsonb) is
$$Internal. The source with vector_type, index_method, index_precision and index_options set; NULL keeps what it has, or is the default. Raises VE111.$$;

revoke execute on function evervec.with_index(evervec.source, text, text, text, jsonb) from public;

-- file: functions/track/with_key.sql
-- with_key: a source with its primary key as the catalog has it now, and the partitions that are there.
--
-- Locks:  none.
create or replace function evervec.with_key(p_source evervec.source)
returns evervec.source
language plpgsql stable
set search_path from current
as $$
begin
    select c.relkind, evervec.qualified_name(c.oid) into p_source.relation_kind, p_source.relation_name
      from pg_class c
     where c.oid = p_source.relation;
    p_source.partitions := evervec.partitions_of(p_source.relation);
    select array_agg(k.column_name order by k.ordinal),
           array_agg(k.type_name order by k.ordinal),
           array_agg(k.operator order by k.ordinal),
           coalesce(p_source.target_key_columns,
                    array_agg(case when p_source.storage = 'column' then k.column_name
                                   else evervec.target_column_name(k.column_name) end order by k.ordinal))
      into p_source.key_columns, p_source.key_types, p_source.key_operators, p_source.target_key_columns
      from evervec.primary_key(p_source.relation) k;
    if p_source.storage = 'column' then
        p_source.target_key_columns := p_source.key_columns;
    end if;
    p_source.key_attributes := evervec.attribute_numbers(p_source.relation, p_source.key_columns);
    return p_source;
end
$$;

comment on function evervec.with_key(evervec.source) is
$$Internal. The source with its key, kind, name and partitions as they are now.$$;

revoke execute on function evervec.with_key(evervec.source) from public;

-- file: functions/track/with_present_names.sql
-- with_present_names: a source whose table or columns were renamed, with the names that they have now.
--
-- Columns and templates follow a rename; SQL that a user wrote cannot be followed and fails to render until retrack corrects it.
-- Locks:  none.
create or replace function evervec.with_present_names(p_source evervec.source)
returns evervec.source
language plpgsql stable
set search_path from current
as $$
declare
    v_former text[] := p_source.watched_columns;
    v_now    text[] := evervec.attribute_names(p_source.relation, p_source.watched_attributes);
begin
    if cardinality(v_now) = cardinality(v_former) then
        p_source.columns := array(
            select coalesce(n.now, c.name)
              from unnest(p_source.columns) with ordinality as c (name, ordinality)
              left join unnest(v_former, v_now) as n (former, now) on n.former = c.name
             order by c.ordinality);
        if p_source.columns = '{}' then
            p_source.columns := null;
        end if;
        if p_source.template is not null then
            select string_agg(
                       coalesce(replace(replace(t.literal, '{', '{{'), '}', '}}'),
                                format('{%s%s}', coalesce(n.now, t.hole), '|' || t.fallback)), '' order by t.ordinal)
              into p_source.template
              from evervec.template_parts(p_source.template) t
              left join unnest(v_former, v_now) as n (former, now) on n.former = t.hole;
        end if;
        if p_source.retention ? 'column' then
            p_source.retention := p_source.retention || jsonb_build_object(
                'column', coalesce((select n.now from unnest(v_former, v_now) as n (former, now) where n.former = p_source.retention ->> 'column'),
                                   p_source.retention ->> 'column'));
        end if;
        p_source.watched_columns := v_now;
    end if;
    return evervec.with_return_columns(evervec.with_key(p_source), evervec.attribute_names(p_source.relation, p_source.return_attributes));
end
$$;

comment on function evervec.with_present_names(evervec.source) is
$$Internal. The source with present names of table, key, watched and returned columns, in its columns and template too.$$;

revoke execute on function evervec.with_present_names(evervec.source) from public;

-- file: functions/track/with_priority.sql
-- with_priority: a source with what p_priority says: a number from 1 to 10, or an expression that the fold evaluates.
--
-- Locks:  those of analyse_sql.
-- Raises: VE111 a number out of range · VE104 not an expression over the row · VE110 unsafe SQL
create or replace function evervec.with_priority(p_source evervec.source, p_priority text)
returns evervec.source
language plpgsql
set search_path from current
as $$
begin
    p_source.priority := 5;
    if coalesce(p_priority, '') ~ '^\s*(-?\d*\.?\d*)\s*$' then
        perform evervec.check_option('p_priority', btrim(p_priority), array(select g::text from generate_series(1, 10) g));
        p_source.priority := p_priority::smallint;
    else
        perform evervec.analyse_sql(p_source.relation, 'p_priority', format('(%s)::numeric', p_priority));
        p_source.priority_sql := p_priority;
    end if;
    return p_source;
end
$$;

comment on function evervec.with_priority(evervec.source, text) is
$$Internal. The source with priority or priority_sql set. Raises VE104, VE110, VE111.$$;

revoke execute on function evervec.with_priority(evervec.source, text) from public;

-- file: functions/track/with_recipe.sql
-- with_recipe: a source with its recipe compiled and the columns whose changes count.
--
-- Locks:  those of analyse_sql.
-- Raises: VE103, VE104, VE110 as compile_recipe and with_retention · VE104 a manual source with a recipe
create or replace function evervec.with_recipe(p_source evervec.source)
returns evervec.source
language plpgsql
set search_path from current
as $$
declare
    v_recipe record;
    v_alien  text;
begin
    if p_source.storage = 'manual' then
        if num_nonnulls(p_source.columns, p_source.template, p_source.text_sql, p_source.condition) > 0 or p_source.depends_on <> '{}' then
            raise exception using
                errcode = 'VE104', message = 'a manual source has no recipe',
                detail  = 'With p_storage ''manual'' the application brings the vectors; evervec renders no text.',
                hint    = 'Leave out p_columns, p_template, p_text_sql, p_where and p_depends_on.';
        end if;
        p_source.text_expression := 'null::text';
        p_source.watched_columns := '{}';
    else
        select * into v_recipe
          from evervec.compile_recipe(p_source.relation, p_source.columns, p_source.template, p_source.text_sql, p_source.condition);
        p_source.text_expression := v_recipe.text_expression;
        -- A row that is not settled any more has to be noticed, too.
        p_source.watched_columns := array(
            select distinct w from unnest(v_recipe.watched || evervec.retention_columns(p_source)) w order by w);
        select string_agg(t.relation::text, ', ') into v_alien
          from unnest(v_recipe.tables) as t (relation)
         where t.relation not in (select to_regclass(d.name) from jsonb_object_keys(p_source.depends_on) as d (name)
                                   where to_regclass(d.name) is not null);
        if v_alien is not null then
            raise notice using
                message = format('the text of "%s" reads %s, whose changes will not be noticed', p_source.name, v_alien),
                hint    = 'Name it in p_depends_on.';
        end if;
    end if;
    p_source.watched_attributes := evervec.attribute_numbers(p_source.relation, p_source.watched_columns);
    return p_source;
end
$$;

comment on function evervec.with_recipe(evervec.source) is
$$Internal. The source with text_expression and watched columns set. Raises VE103, VE104, VE110; a NOTICE names tables that p_depends_on forgets.$$;

revoke execute on function evervec.with_recipe(evervec.source) from public;

-- file: functions/track/with_return_columns.sql
-- with_return_columns: a source with the columns that its search functions return beside the key.
--
-- Locks:  none.
-- Raises: VE103 unknown column
create or replace function evervec.with_return_columns(p_source evervec.source, p_columns text[])
returns evervec.source
language plpgsql stable
set search_path from current
as $$
declare
    v_unknown text;
begin
    p_source.return_columns := array(
        select c.name
          from unnest(p_columns) with ordinality as c (name, ordinality)
         where c.name <> all (p_source.key_columns)
         group by c.name
         order by min(c.ordinality));
    select c.name into v_unknown
      from unnest(p_source.return_columns) as c (name)
     where not exists (select from pg_attribute a
                        where a.attrelid = p_source.relation and a.attname = c.name and a.attnum > 0 and not a.attisdropped)
     limit 1;
    if found then
        raise exception using
            errcode = 'VE103',
            message = format('p_return_columns: %s has no column "%s"', p_source.relation, v_unknown),
            detail  = format('Its columns: %s.', (
                select string_agg(a.attname, ', ' order by a.attnum)
                  from pg_attribute a
                 where a.attrelid = p_source.relation and a.attnum > 0 and not a.attisdropped)),
            hint    = 'Names are case-sensitive. The key is returned anyway.';
    end if;
    p_source.return_attributes := evervec.attribute_numbers(p_source.relation, p_source.return_columns);
    return p_source;
end
$$;

comment on function evervec.with_return_columns(evervec.source, text[]) is
$$Internal. The source with return_columns (those of p_columns that are not of the key) and their numbers. Raises VE103.$$;

revoke execute on function evervec.with_return_columns(evervec.source, text[]) from public;

-- file: functions/track/with_text_search.sql
-- with_text_search: a source with the configuration of full text search that its texts are kept by beside their vectors.
--
-- Kept by its name with its schema: what pg_upgrade carries over. With p_bm25 their texts are kept too, for pg_textsearch.
-- Locks:  none.
-- Raises: VE111 unknown configuration, vectors that are not in a table of evervec's, or no pg_textsearch
create or replace function evervec.with_text_search(p_source evervec.source, p_text_search text, p_bm25 boolean)
returns evervec.source
language plpgsql stable
set search_path from current
as $$
declare
    v_configuration oid;
begin
    if p_bm25 and evervec.bm25_schema() is null then
        raise exception using
            errcode = 'VE111',
            message = 'p_bm25 cannot be true',
            detail  = 'The extension pg_textsearch is not installed in this database.',
            hint    = 'CREATE EXTENSION pg_textsearch; or leave p_bm25 out: ts_rank_cd then ranks the words.';
    end if;
    if p_text_search is null then
        p_source.bm25 := p_source.text_search is not null and coalesce(p_bm25, p_source.bm25);
        return p_source;
    end if;
    p_source.text_search := null;
    p_source.bm25 := p_text_search <> '' and coalesce(p_bm25, evervec.bm25_schema() is not null);
    if p_text_search = '' then
        return p_source;
    elsif p_source.storage <> 'table' then
        raise exception using
            errcode = 'VE111',
            message = format('p_text_search cannot be had with p_storage %L', p_source.storage),
            detail  = 'Texts for full text search are kept beside their vectors, in a table of evervec''s own; a user''s table is never altered for them, and vectors of yours have no text.',
            hint    = 'Leave p_storage out; or keep a tsvector of your own, and search by two queries.';
    end if;
    begin
        v_configuration := p_text_search::regconfig;
    exception when undefined_object or syntax_error or invalid_name or invalid_schema_name or feature_not_supported then
        null;
    end;
    select format('%I.%I', n.nspname, c.cfgname) into p_source.text_search
      from pg_ts_config c
      join pg_namespace n on n.oid = c.cfgnamespace
     where c.oid = v_configuration;
    if not found then
        raise exception using
            errcode = 'VE111',
            message = format('p_text_search cannot be %L', p_text_search),
            detail  = (select format('There is no such configuration of full text search. Those that are there: %s.',
                                     string_agg(case when n.nspname = 'pg_catalog' then quote_ident(c.cfgname)
                                                     else format('%I.%I', n.nspname, c.cfgname) end, ', ' order by n.nspname = 'pg_catalog', c.cfgname))
                         from pg_ts_config c
                         join pg_namespace n on n.oid = c.cfgnamespace),
            hint    = 'Choose the one of the language of the texts, or simple for several; name one of your own with its schema.';
    end if;
    return p_source;
end
$$;

comment on function evervec.with_text_search(evervec.source, text, boolean) is
$$Internal. The source with text_search and bm25 set; NULL keeps what it has, '' is none. Raises VE111.$$;

revoke execute on function evervec.with_text_search(evervec.source, text, boolean) from public;

-- file: views/alerts.sql
-- alerts: what somebody should look at now, by the thresholds in evervec.setting; for monitoring.
--
-- Reads neither the tracked tables nor their recipes, so it answers whatever is broken.
-- needs: functions/control/doctor_budget.sql
-- needs: functions/control/doctor_lists.sql
-- needs: functions/control/doctor_model.sql
-- needs: functions/control/doctor_protection.sql
-- needs: functions/control/doctor_signals.sql
-- needs: functions/control/doctor_triggers.sql
-- needs: functions/control/setting_interval.sql
-- needs: functions/control/setting_number.sql
-- needs: functions/index/index_due.sql
-- needs: functions/index/index_of.sql
-- needs: functions/queue/estimated_rows.sql
create or replace view evervec.alerts as
with change as (
    select l.source_id, count(*) as changes, min(l.logged_at) as since from evervec.change_log l group by l.source_id
),

job as (
    select q.source_id, min(q.created_at) as since from evervec.processing_queue q where q.status = 'pending' group by q.source_id
),

letter as (
    select d.source_id, count(*) as letters, min(d.first_failed_at) as since, sum(count(*)) over () as total
      from evervec.dead_letter d
     where d.resolved_at is null
     group by d.source_id
)

select null::text as source,
       'growing log' as alert,
       min(c.since) as since,
       format('%s changes have not been folded into the queue.', sum(c.changes)) as problem,
       'select * from evervec.tick();' as remedy
  from change c
having sum(c.changes) > evervec.setting_number('alert_change_log_rows', 100000)
union all
select s.name as source,
       'old work' as alert,
       least(c.since, j.since) as since,
       format('Work on "%s" has been waiting since %s; probably no worker is running.', s.name, least(c.since, j.since)) as problem,
       format('select * from evervec.pending(%L);', s.name) as remedy
  from evervec.source s
  left join change c using (source_id)
  left join job j using (source_id)
 where s.state = 'active' and least(c.since, j.since) < now() - evervec.setting_interval('alert_pending_age', '1 hour')
union all
select s.name as source,
       'dead letters' as alert,
       l.since,
       case when s.name is null then format('%s tasks gave up.', l.letters)
            else format('%s rows of "%s" gave up and have no vector of their present text.', l.letters, s.name) end as problem,
       format('select * from evervec.dead_letters(%s);', quote_literal(s.name)) as remedy
  from letter l
  left join evervec.source s using (source_id)
 where l.total > evervec.setting_number('alert_dead_letters', 50)
union all
select s.name as source, f.finding as alert, null as since, f.problem, f.remedy
  from evervec.source s
  cross join lateral evervec.doctor_model(s) f
union all
select s.name as source, f.finding as alert, null as since, f.problem, f.remedy
  from evervec.source s
  cross join lateral evervec.doctor_budget(s) f
union all
select s.name as source, f.finding as alert, null as since, f.problem, f.remedy
  from evervec.source s
  cross join lateral evervec.doctor_triggers(s) f
 where s.state <> 'suspended' and exists (select from pg_class c where c.oid = s.relation)
union all
select s.name as source, f.finding as alert, null as since, f.problem, f.remedy
  from evervec.source s
  cross join lateral evervec.doctor_protection(s) f
 where f.severity = 'error'
union all
select s.name as source, f.finding as alert, null as since, f.problem, f.remedy
  from evervec.source s
  cross join lateral evervec.doctor_signals(s) f
union all
select s.name as source, 'index not built' as alert, null as since,
       format('Searches of "%s" read all of its vectors (about %s): its index is missing, or not valid.', s.name, v.vectors) as problem,
       format('select evervec.build_index(%L);', s.name) as remedy
  from evervec.source s
  cross join lateral (select evervec.estimated_rows(s.target) as vectors) v
 where v.vectors >= evervec.setting_number('alert_vectors_without_index', 10000)
   and evervec.index_due(s)
   and (evervec.index_of(s)).valid is not true
union all
select s.name as source, f.finding as alert, null as since, f.problem, f.remedy
  from evervec.source s
  cross join lateral evervec.doctor_lists(s) f
union all
select s.name as source, 'failing' as alert, null as since, s.last_error as problem,
       format('select * from evervec.doctor(%L);', s.name) as remedy
  from evervec.source s
 where s.last_error is not null;

comment on view evervec.alerts is
$$What needs attention: a growing log, old work, dead letters (thresholds in evervec.setting), models that are paused, rate-limited, out of quota or without a valid key, budgets that are spent, missing or disabled triggers, vectors without the row-level security of their table, indexes that are not built, lists of ivfflat that do not fit, signals that fail, sources with an error. since: from when on, where that is known; problem: a sentence; remedy: the next statement. No rows: all is well.$$;

-- file: views/cost.sql
-- cost: what each day cost, by source and model.
--
-- From sums that log_batch keeps, so it does not read the batches. They are kept as long (setting batch_log_keep), and outlive the source.
create or replace view evervec.cost as
select p.day, p.source, p.model, p.requests, p.embedded as texts, p.cached, p.unchanged, p.failed, p.tokens, p.cost
  from evervec.spending p;

comment on view evervec.cost is
$$One row a day (UTC), source and model: what workers asked of the provider, and what they did not have to ask. Searches are not counted. Kept for setting batch_log_keep (400 days), also of sources that are gone.$$;
comment on column evervec.cost.day is $$The UTC date on which the batches ended.$$;
comment on column evervec.cost.requests is $$Requests, whatever became of them; one that several sources shared counts for the one with the most tokens in it.$$;
comment on column evervec.cost.texts is $$Rows that got a vector from the provider.$$;
comment on column evervec.cost.cached is $$Rows that got their vector from the cache, for nothing.$$;
comment on column evervec.cost.unchanged is $$Rows whose text was the same: nothing was asked.$$;
comment on column evervec.cost.failed is $$Attempts that failed.$$;
comment on column evervec.cost.tokens is $$Tokens as the provider counted them, used or not; where it does not say a quarter of the bytes; 0 of an offline model.$$;
comment on column evervec.cost.cost is $$Tokens at the price that the model had then, in its currency; NULL: it had none.$$;

-- file: views/egress.sql
-- egress: which columns of which tables go to which provider.
--
-- Present names, also of what was renamed since. A recipe in SQL may do anything with what it reads: the columns that it, or p_where, reads
-- are listed, and those of other tables that p_depends_on watches (every column where it names none). Manual sources send nothing.
-- needs: functions/track/template_parts.sql
create or replace view evervec.egress as
select s.name as source,
       c.relation::text as relation,
       a.attname::text as column_name,
       m.name as model,
       m.provider,
       s.storage,
       m.provider not in ('local', 'minilm') as leaves
  from evervec.source s
  join evervec.model m using (model_id)
  cross join lateral (
    select s.relation, w.attnum
      from unnest(s.watched_columns, s.watched_attributes) as w (name, attnum)
     where s.text_sql is not null
        or w.name = any(s.columns)
        or w.name in (select t.hole from evervec.template_parts(s.template) t)
    union
    select d.relation, n.attnum
      from evervec.dependency d
      join pg_attribute n on d.relation = n.attrelid and n.attname = any(d.watched)
     where d.source_id = s.source_id
  ) c (relation, attnum)
  join pg_attribute a on c.relation = a.attrelid and c.attnum = a.attnum and not a.attisdropped
 where s.storage <> 'manual'
 order by s.name, c.relation <> s.relation, c.relation::text, a.attnum;

comment on view evervec.egress is
$$One row a column whose values are sent to a provider, or may be: those in p_columns or p_template; of a recipe in SQL those that it and p_where read, and those of other tables that p_depends_on watches. Manual sources have none. Words of searches go to the model's provider, too.$$;
comment on column evervec.egress.relation is $$The source's table, or another one that its recipe reads.$$;
comment on column evervec.egress.provider is $$Who computes the vectors; the worker's environment says where that is (evervec egress).$$;
comment on column evervec.egress.storage is $$Where the vectors are: table, or column (of the source's own table).$$;
comment on column evervec.egress.leaves is $$Whether it leaves the worker's machine: false for the offline ones, local and minilm.$$;

-- file: views/status.sql
-- status: one row a source: what it is, and how much of its work is not done yet.
--
-- needs: views/budget_status.sql
-- vectors and archived are the planner's estimates, backfill the share of a pass that is still ahead; the other counts are exact.
create or replace view evervec.status as
select s.name as source,
       s.relation::text as relation,
       m.name as model,
       case when s.state = 'active'
                 and (s.name in (select b.source from evervec.budget_status b where b.spent)
                      or m.name in (select b.model from evervec.budget_status b where b.spent)) then 'budget spent'
            when m.paused_until > now() then 'model paused'
            else s.state end as state,
       coalesce(l.changes, 0) + coalesce(q.queued, 0) as pending,
       coalesce(q.processing, 0) as processing,
       coalesce(q.retrying, 0) as retrying,
       coalesce(d.letters, 0) as dead,
       e.row_count - e.archived as vectors,
       case when s.index_method = 'none' then 'none'
            when i.index is null then 'not built'
            when i.valid then 'valid'
            when i.building then 'building'
            else 'invalid' end as index_state,
       s.pass_kind is not null as backfill,
       round(i.progress::numeric, 2) as index_progress,
       coalesce(e.archived, 0) as archived
  from evervec.source s
  join evervec.model m using (model_id)
  cross join lateral evervec.index_of(s) i
  cross join lateral (select evervec.estimated_rows(s.target) as row_count, evervec.archived_rows(s) as archived) e
  left join (
    select source_id, count(*) as changes from evervec.change_log group by source_id
  ) l using (source_id)
  left join (
    select source_id,
           count(*) filter (where status = 'pending' and attempts = 0) as queued,
           count(*) filter (where status = 'processing') as processing,
           count(*) filter (where status = 'pending' and attempts > 0) as retrying
      from evervec.processing_queue
     group by source_id
  ) q using (source_id)
  left join (
    select source_id, count(*) as letters from evervec.dead_letter where resolved_at is null group by source_id
  ) d using (source_id);

comment on view evervec.status is
$$One row a source. state: active, paused, suspended, model paused, or budget spent (until midnight UTC, see budget_status). pending: changes not folded and jobs not tried yet; processing; retrying: jobs waiting for their next attempt; dead: open dead letters; these are exact, however many. vectors, archived: the planner's estimates, of rows with a vector and of those whose vector archive has dropped; index_state: none, not built, building (concurrently), invalid, valid; backfill: whether a pass over all rows is under way; index_progress: of building, 0 to 0.99, NULL where your role may not see it.$$;

-- file: views/queue_health.sql
-- queue_health: one row a source: what waits, since when, and how fast it is worked off; for monitoring.
--
-- needs: views/status.sql
-- Rates are those of the last five minutes, or of the part of them in which something was done.
create or replace view evervec.queue_health as
select s.name as source,
       t.model,
       t.state,
       t.pending,
       t.processing,
       t.retrying,
       t.dead,
       w.backfill,
       r.row_count as rows,
       t.vectors,
       b.rows_a_minute,
       b.claim_ms,
       b.embed_ms,
       b.complete_ms,
       least(l.since, j.since) as oldest,
       case when w.work = 0 then interval '0'
            when b.rows_a_minute > 0 then make_interval(secs => ceil(60 * w.work / b.rows_a_minute)) end as eta,
       coalesce(t.archived, 0) as archived
  from evervec.source s
  join evervec.status t on s.name = t.source
  cross join lateral (select evervec.estimated_rows(s.relation) as row_count) r
  cross join lateral (select case when s.pass_kind is null then 0 else greatest(r.row_count - s.pass_examined, 1) end as backfill) p
  cross join lateral (select p.backfill, t.pending + t.processing + t.retrying + p.backfill as work) w
  left join (select source_id, min(logged_at) as since from evervec.change_log group by source_id) l using (source_id)
  left join (select source_id, min(created_at) as since from evervec.processing_queue group by source_id) j using (source_id)
  left join (
    select g.source,
           60 * sum(g.claimed - g.failed) / greatest(extract(epoch from now() - min(
               g.finished_at - make_interval(secs => (coalesce(g.claim_ms, 0) + coalesce(g.embed_ms, 0) + coalesce(g.complete_ms, 0)) / 1000)
           )), 1)::float8 as rows_a_minute,
           sum(g.claim_ms) / nullif(sum(g.claimed), 0) as claim_ms,
           sum(g.embed_ms) / nullif(sum(g.claimed), 0) as embed_ms,
           sum(g.complete_ms) / nullif(sum(g.claimed), 0) as complete_ms
      from evervec.batch_log g
     where g.finished_at > now() - interval '5 minutes'
     group by g.source
  ) b on s.name = b.source;

comment on view evervec.queue_health is
$$One row a source. model, state, pending, processing, retrying, dead, vectors, archived: as in status. backfill: an estimate of the rows that a pass under way has not looked at. oldest: since when the oldest change or job waits. rows: the planner's estimate for the table. rows_a_minute: settled in the last five minutes, by all workers; NULL: none. eta: until all that waits is done at that rate; NULL: nobody works. claim_ms, embed_ms, complete_ms: milliseconds a row, the mean of these minutes.$$;

-- generated: end

insert into evervec.schema_version (migration_id, checksum)
values ('evervec_0002_functions', 'ba2eed63596734ca8b878de6071fb4eac03abf122dc2ed7264469305d1d1f3d6');
