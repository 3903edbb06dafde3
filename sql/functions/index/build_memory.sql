-- build_memory: about how much memory the build of a source's vector index takes, if it is to be fast.
--
-- hnsw: its graph, of each vector what the index knows of it, 2 m neighbours of 16 bytes, and what belongs to it. ivfflat: a sample of the vectors,
-- and their distances to the centres of the lists; without so much its build fails.
-- Locks:  none.
-- needs: functions/index/fitting_lists.sql
-- needs: functions/queue/estimated_rows.sql
create or replace function evervec.build_memory(p_source evervec.source)
returns bigint
language sql stable
set search_path from current
as $$
    select case p_source.index_method
           when 'hnsw' then v.vectors * (v.bytes + 32 * coalesce((p_source.index_options ->> 'm')::bigint, 16) + 200)
           when 'ivfflat' then v.samples * v.bytes + least(v.samples, v.vectors) * (4 * v.lists + 8) + v.lists * (4 * v.lists + v.bytes + 4 * v.dimensions) end
      from (
        select l.lists, greatest(50 * l.lists, 10000) as samples, evervec.estimated_rows(p_source.target) as vectors, m.dimensions::bigint,
               8 + m.dimensions::bigint * case p_source.index_precision when 'bit' then 1 when 'half' then 16 else 32 end / 8 as bytes
          from evervec.model m
          cross join lateral (select coalesce((p_source.index_options ->> 'lists')::bigint, evervec.fitting_lists(p_source.target)) as lists) l
         where m.model_id = p_source.model_id
      ) v
$$;

comment on function evervec.build_memory(evervec.source) is
$$Internal. Bytes, by the number of vectors that there are now; NULL where no index is wanted.$$;

revoke execute on function evervec.build_memory(evervec.source) from public;
