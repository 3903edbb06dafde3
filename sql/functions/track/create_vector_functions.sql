-- create_vector_functions: the generated functions that read and remove the vectors of a source as a whole.
--
-- hashes_<source>(limit) → hashes of the texts that vectors stand for, or stood for before they were archived, of as many rows (NULL: all)
-- clear_<source>() → removes every vector, returns how many there were; archived rows stay as they are
--
-- With the rights of the table's owner, as all else that touches the table: even to plan a query runs functions that its owner has put
-- into indexes and policies.
-- Locks:  none that matter; clear_<source> takes those of TRUNCATE, or of an UPDATE of every row that has a vector.
create or replace function evervec.create_vector_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql record;
begin
    select * into v_sql from evervec.fragments(p_source);
    perform evervec.create_row_function(
        p_source, 'hashes', 'p_limit bigint', 'setof bytea', true,
        format(
            $body$
        begin
            return query select %s from %s e where e.%I is not null or %s limit $1;
        end
            $body$,
            v_sql.stored_hash, v_sql.target, p_source.vector_column, v_sql.archived));
    perform evervec.create_row_function(
        p_source, 'clear', '', 'bigint', false,
        case p_source.storage
            when 'column' then format(
                $body$
        declare
            v_former  text := current_setting('evervec.bypass', true);
            v_cleared bigint;
        begin
            perform set_config('evervec.bypass', 'on', true);
            update %1$s set %2$I = null, %3$I = null where %2$I is not null;
            get diagnostics v_cleared = row_count;
            perform set_config('evervec.bypass', coalesce(v_former, ''), true);
            return v_cleared;
        end
                $body$,
                v_sql.target, p_source.vector_column, p_source.hash_column)
            else format(
                $body$
        declare
            v_cleared bigint := (select count(*) from %1$s e where e.%2$I is not null);
        begin
            if exists (select from %1$s e where %3$s) then
                delete from %1$s e where not %3$s;
            else
                truncate %1$s;
            end if;
            return v_cleared;
        end
                $body$,
                v_sql.target, p_source.vector_column, v_sql.archived)
        end);
end
$$;

comment on function evervec.create_vector_functions(evervec.source) is
$$Internal. Creates or replaces hashes_<source> and clear_<source>.$$;

revoke execute on function evervec.create_vector_functions(evervec.source) from public;
