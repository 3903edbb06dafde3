-- index_visits: how many vectors a scan of the index has to look at to find enough that qualify; NULL where it is cheaper to read all that
-- qualifies and to sort.
--
-- As many that qualify as hnsw.ef_search, or twice those wanted.
-- By the planner's estimate, made as the caller and for these very values. Pages are taken to be in memory, as the index has to be anyway;
-- then a unit of the planner's cost is about six microseconds, reading a vector by its key 0.4 units, and a step of the index one.
-- VOLATILE, because EXPLAIN may not stand in a function that is not.
-- Locks:  none that matter.
create or replace function evervec.index_visits(p_qualifying text, p_target regclass, p_fetch bigint)
returns bigint
language plpgsql volatile
set search_path from current
set random_page_cost = 0.1
set seq_page_cost = 0.1
set jit = off
as $$
declare
    v_vectors real := (select c.reltuples from pg_class c where c.oid = p_target);
    v_plan    json;
    v_rows    real;
    v_visits  real;
begin
    if v_vectors <= 0 then
        v_vectors := evervec.estimated_rows(p_target);
    end if;
    execute 'explain (format json) ' || p_qualifying into v_plan;
    v_rows := greatest((v_plan #>> '{0,Plan,Plan Rows}')::real, 1);
    v_visits := greatest(2 * p_fetch, coalesce(current_setting('hnsw.ef_search', true), '40')::bigint) * greatest(v_vectors / v_rows, 1);
    return case when (v_plan #>> '{0,Plan,Total Cost}')::real + 0.4 * v_rows > v_visits then least(v_visits, 1e9) end;
end
$$;

comment on function evervec.index_visits(text, regclass, bigint) is
$$Internal. p_qualifying: a query for the rows that qualify; p_fetch: how many of them are wanted. NULL: search exactly.$$;

revoke execute on function evervec.index_visits(text, regclass, bigint) from public;
