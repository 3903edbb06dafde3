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
