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
