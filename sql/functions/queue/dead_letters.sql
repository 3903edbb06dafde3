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
