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
