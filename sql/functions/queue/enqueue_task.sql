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
