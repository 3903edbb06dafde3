-- default_precision: the precision of a source's index where none is asked for: the finest that its vectors allow.
--
-- Locks:  none.
create or replace function evervec.default_precision(p_source evervec.source)
returns text
language sql stable
set search_path from current
as $$
    select case when p_source.vector_type = 'vector' and m.dimensions <= 2000 then 'full'
                when m.dimensions <= 4000 then 'half'
                else 'bit' end
      from evervec.model m
     where m.model_id = p_source.model_id
$$;

comment on function evervec.default_precision(evervec.source) is
$$Internal. full, half or bit, from the dimensions and the type of a source's vectors.$$;

revoke execute on function evervec.default_precision(evervec.source) from public;
