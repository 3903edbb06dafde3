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
