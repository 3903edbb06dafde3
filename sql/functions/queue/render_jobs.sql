-- render_jobs: the texts of the jobs of one source that were just leased; settles those that need no vector.
--
-- All rows are rendered in one statement. When that fails, they are rendered one by one, so that an error hurts its row only.
-- Locks:  ROW SHARE on the source; vectors of vanished rows, SKIP LOCKED.
create or replace function evervec.render_jobs(p_source evervec.source, p_lease_token uuid, p_job_ids bigint[], p_cached boolean)
returns table (
    job_id       bigint,
    task_type    text,
    row_key      jsonb,
    attempts     integer,
    state        text,
    content      text,
    content_hash bytea
)
language plpgsql
set search_path from current
as $$
declare
    v_jobs   record;
    v_states text[];
    v_texts  text[];
    v_hashes bytea[];
    v_errors text[];
    v_erase  integer[];
    v_held   integer;
    v_since  timestamptz;
begin
    select array_agg(q.job_id order by q.job_id) as job_ids, array_agg(q.row_key order by q.job_id) as row_keys,
           array_agg(q.task_type order by q.job_id) as task_types, array_agg(q.attempts order by q.job_id) as attempts
      into v_jobs
      from evervec.processing_queue q
     where q.job_id = any (p_job_ids) and q.source_id = p_source.source_id and q.task_type = 'embed';

    if p_cached and p_source.cache then
        v_since := now() - evervec.setting_interval('cache_keep', '30 days');
    end if;

    begin
        select r.states, r.texts, r.hashes into v_states, v_texts, v_hashes
          from evervec.render_states(p_source, v_jobs.row_keys, v_since) r;
    exception
        when lock_not_available then
            v_states := array_fill('locked'::text, array[cardinality(v_jobs.job_ids)]);
        when others then
            for v_ordinal in 1 .. cardinality(v_jobs.job_ids) loop
                begin
                    select v_states || r.states, v_texts || r.texts, v_hashes || r.hashes
                      into v_states, v_texts, v_hashes
                      from evervec.render_states(p_source, v_jobs.row_keys[v_ordinal : v_ordinal], v_since) r;
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
            select v_jobs.row_keys[u.ordinal]
              from unnest(v_erase) with ordinality as u (ordinal, position)
             order by u.position))
        loop
            v_states[v_erase[v_held]] := 'locked';
        end loop;
    end if;

    perform evervec.finish_jobs(array_agg(u.job_id), array_agg(u.state))
       from unnest(v_jobs.job_ids, v_states) as u (job_id, state)
      where u.state not in ('embed', 'cached', 'failed');
    perform evervec.fail_jobs(p_lease_token, array[u.job_id], 'render', u.error)
       from unnest(v_jobs.job_ids, v_states, v_errors) as u (job_id, state, error)
      where u.state = 'failed';
    update evervec.processing_queue q
       set claimed_hash = u.hash
      from unnest(v_jobs.job_ids, v_states, v_hashes) as u (job_id, state, hash)
     where q.job_id = u.job_id and u.state in ('embed', 'cached');

    return query
    select u.job_id, u.task_type, u.row_key, u.attempts::integer, u.state,
           case when u.state = 'embed' then u.content end,
           case when u.state in ('embed', 'cached') then u.hash end
      from unnest(v_jobs.job_ids, v_jobs.task_types, v_jobs.row_keys, v_jobs.attempts, v_states, v_texts, v_hashes)
           as u (job_id, task_type, row_key, attempts, state, content, hash);
end
$$;

comment on function evervec.render_jobs(evervec.source, uuid, bigint[], boolean) is
$$Internal. Renders those of some leased jobs that are of one source; settles those whose row is gone, empty or unchanged and fails those that do not render.$$;

revoke execute on function evervec.render_jobs(evervec.source, uuid, bigint[], boolean) from public;
