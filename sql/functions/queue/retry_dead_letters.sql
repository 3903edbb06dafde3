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
