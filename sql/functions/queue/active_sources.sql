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
