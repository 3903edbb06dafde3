-- centre_of: the mean of a source's vectors, taken of 10,000 of them, and once a day.
--
-- Locks:  the source's row of evervec.source_centre, where it is time.
create or replace function evervec.centre_of(p_source evervec.source)
returns vector
language plpgsql
set search_path from current
as $$
declare
    v_centre vector;
begin
    select c.embedding
      into v_centre
      from evervec.source_centre c
     where c.source_id = p_source.source_id and c.model_id = p_source.model_id and c.updated_at > now() - interval '1 day';
    if not found then
        execute format('select evervec.%I($1)', 'centre_' || p_source.name)
           into v_centre
          using least(100, 1000000.0 / greatest(evervec.estimated_rows(p_source.target), 1))::real;
        if v_centre is not null then
            insert into evervec.source_centre as c (source_id, model_id, embedding)
            values (p_source.source_id, p_source.model_id, v_centre)
            on conflict (source_id) do update
               set model_id = excluded.model_id, embedding = excluded.embedding, updated_at = excluded.updated_at;
        end if;
    end if;
    return v_centre;
end
$$;

comment on function evervec.centre_of(evervec.source) is
$$Internal. The mean of the vectors of a source, each of length 1; NULL where it has none.$$;

revoke execute on function evervec.centre_of(evervec.source) from public;
