"""pg_cron's schema without pg_cron: what it would be told is written down, and nothing runs.

Signatures, policies and errors are those of pg_cron 1.6 (or 1.4, which knows no seconds).
"""

from __future__ import annotations

import psycopg

_SCHEMA = """
create schema cron;
create table cron.job (
    jobid bigint generated always as identity primary key, schedule text not null,
    command text not null, nodename text not null default 'localhost',
    nodeport int not null default 5432, database text not null default current_database(),
    username text not null default current_user, active boolean not null default true,
    jobname text, constraint jobname_username_uniq unique (jobname, username));
create table cron.job_run_details (
    jobid bigint, runid bigint generated always as identity primary key, job_pid integer,
    database text, username text, command text, status text, return_message text,
    start_time timestamptz, end_time timestamptz);
alter table cron.job enable row level security;
create policy cron_job_policy on cron.job using (username = current_user);
alter table cron.job_run_details enable row level security;
create policy cron_job_run_details_policy on cron.job_run_details
    using (username = current_user);
grant select on cron.job to public;
grant select, delete on cron.job_run_details to public;

create function cron.take(
    p_name text, p_schedule text, p_command text, p_database text, p_username text)
returns bigint language plpgsql security definer as $$
declare
    v_id bigint;
begin
    if p_schedule !~ '%s' then
        raise exception using errcode = 'invalid_parameter_value',
            message = format('invalid schedule: %%s', p_schedule);
    end if;
    insert into cron.job (jobname, schedule, command, database, username)
    values (p_name, p_schedule, p_command, p_database, p_username)
    on conflict on constraint jobname_username_uniq do update
       set schedule = excluded.schedule, command = excluded.command, database = excluded.database
    returning jobid into v_id;
    return v_id;
end $$;

create function cron.schedule(job_name text, schedule text, command text)
returns bigint language sql as $$
    select cron.take($1, $2, $3, current_database()::text, current_user::text)
$$;

create function cron.schedule_in_database(
    job_name text, schedule text, command text, database text,
    username text default null, active boolean default 'true')
returns bigint language plpgsql as $$
begin
    if $5 is not null and not (select rolsuper from pg_roles where rolname = current_user) then
        raise exception 'must be superuser to create a job for another role';
    end if;
    return cron.take($1, $2, $3, $4, coalesce($5, current_user));
end $$;
revoke all on function cron.schedule_in_database from public;

create function cron.unschedule(job_id bigint)
returns bool language plpgsql security definer as $$
begin
    delete from cron.job where jobid = $1;
    if not found then
        raise exception 'could not find valid entry for job %%', $1;
    end if;
    return true;
end $$;
"""

_MINUTES = r"^(\S+ ){4}\S+$"
_SECONDS = r"^[1-5]?\d seconds$"


def install(
    superuser: psycopg.Connection, *, role: str | None = None, seconds: bool = True
) -> None:
    """Make the schema, and let a role use it; seconds: as from 1.5 on."""
    pattern = f"{_MINUTES}|{_SECONDS}" if seconds else _MINUTES
    superuser.execute((_SCHEMA % pattern).encode())
    if role is not None:
        superuser.execute(
            f"grant usage on schema cron to {role};"
            f"grant execute on function cron.schedule_in_database to {role}"
        )
