-- replace_index: has the searches of a source use the index that it wants, which stands, and drops those that nothing uses any more.
--
-- An index answers what is ordered as it is: so searches are written for one kind of index, and go on using the former one until now.
-- Where the table is the user's, their indexes stay: doctor tells. The effort that tune has found is of no worth with another kind of index; with
-- another number of lists it is the same share of them.
-- Locks:  ACCESS EXCLUSIVE on the embedding table, where an index of it is dropped, in attempts of half a second with pauses between them.
-- Raises: VE101 unknown source · VE210 a filter's condition is none over a row of the source any more · 2BP01 as create_search · 55P03 the table stays locked
create or replace function evervec.replace_index(p_source text)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_former regclass[];
    v_index  regclass;
begin
    if (select w.step from evervec.wanted_index(v_source) w) is distinct from 'replace' then
        return;
    end if;
    v_former := array(select x.index from evervec.vector_indexes(v_source) x where x.valid and x.ours and not x.fits);
    if v_former <> '{}' then
        perform evervec.lock_relation(v_source.target, 'access exclusive');
    end if;
    if (v_source.search_method, v_source.search_precision) <> (v_source.index_method, v_source.index_precision) then
        v_source.search_effort := null;
    elsif v_source.search_method = 'ivfflat' and v_source.search_effort is not null then
        select ceil(v_source.search_effort * max(l.lists) filter (where x.fits)::numeric / max(l.lists) filter (where not x.fits))
          into v_source.search_effort
          from evervec.vector_indexes(v_source) x
          join pg_class c on c.oid = x.index and x.valid
          cross join lateral (select coalesce(substring(c.reloptions::text from 'lists=(\d+)')::integer, 100) as lists) l;
    end if;
    v_source.search_method := v_source.index_method;
    v_source.search_precision := v_source.index_precision;
    perform evervec.update_source(v_source);
    perform evervec.create_search_functions(v_source);
    foreach v_index in array v_former loop
        execute format('drop index %s', evervec.qualified_name(v_index));
    end loop;
    -- Another index may find other rows.
    perform evervec.note_change(v_source.source_id);
end
$$;

comment on function evervec.replace_index(text) is
$$Internal. The last step of index_statement where an index takes the place of another one. Raises VE101, VE210, 2BP01, 55P03.$$;

revoke execute on function evervec.replace_index(text) from public;
