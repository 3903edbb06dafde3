-- create_archive_function: archive_<source>(condition over s, condition over e, limit, restore), which drops vectors of settled rows, or has archived ones embedded again.
--
-- An archived row of evervec's own table keeps its place there, with the hash and the words of its text, so that it is still found by words; no
-- index of vectors has it. How it is marked in a user's table, see fragments. The time of its vector stays as it was.
-- With the rights of the table's owner, for it is that role's SQL; nobody but evervec's owner may execute it.
-- Locks:  the rows of the embedding table FOR UPDATE SKIP LOCKED; in column storage those of the table itself, FOR NO KEY UPDATE SKIP LOCKED.
-- needs: functions/track/fragments.sql
create or replace function evervec.create_archive_function(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql    record;
    v_column boolean := p_source.storage = 'column';
begin
    select * into v_sql from evervec.fragments(p_source);
    perform evervec.create_row_function(
        p_source, 'archive', 'p_row text, p_vector text, p_limit bigint, p_restore boolean', 'setof jsonb', false,
        format(
            $body$
        declare
            v_former text := current_setting('evervec.bypass', true);
        begin
            -- Triggers of ours on a user's table must not take this for a change.
            perform set_config('evervec.bypass', 'on', true);
            return query execute
                'with found as materialized (
                    select %1$s
                      from (select s.*, s.tableoid as "evervec partition", s.ctid as "evervec address" from ' || %2$L || ' s where ' || $1 || ') s
                      ' || %10$L || '
                     where ' || case when $4 then %3$L else %4$L end || ' and ' || $2 || '
                     limit $1
                       for %5$s skip locked
                )
                update ' || %6$L || ' d
                   set ' || case when $4 then %7$L else %8$L end || '
                  from found f
                 where d.tableoid = f.partition and d.ctid = f.address
                returning ' || %9$L
            using $3;
            perform set_config('evervec.bypass', coalesce(v_former, ''), true);
        end
            $body$,
            case when v_column then 's."evervec partition" as partition, s."evervec address" as address'
                 else 'e.tableoid as partition, e.ctid as address' end,
            v_sql.relation,
            v_sql.archived, format('e.%I is not null', p_source.vector_column),
            case when v_column then 'no key update of s' else 'update of e' end,
            case when v_column then v_sql.relation else v_sql.target end,
            case when v_column then format('%I = null, %I = null', p_source.hash_column, p_source.model_column) else 'model_id = 0' end,
            format('%I = null', p_source.vector_column) || case when v_column then format(', %I = %L', p_source.model_column, 'archived') else '' end,
            evervec.key_call(p_source, 'd', not v_column),
            case when v_column then 'cross join lateral (select s.*) e'
                 else format('join %s e on %s', v_sql.target, evervec.key_match(p_source, 'e', true, 's', false)) end));
end
$$;

comment on function evervec.create_archive_function(evervec.source) is
$$Internal. Creates or replaces archive_<source>.$$;

revoke execute on function evervec.create_archive_function(evervec.source) from public;
