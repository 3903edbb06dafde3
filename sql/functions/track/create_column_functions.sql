-- create_column_functions: write_<source> and erase_<source> for vectors in columns of the user's own table.
--
-- They write under evervec.bypass, so that no trigger of ours notices what evervec itself writes, whatever a user's BEFORE trigger
-- makes of it. There is no column for notes; the job's receipt has them.
-- Locks:  none that matter.
create or replace function evervec.create_column_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql    record;
    v_keys   record;
    v_bypass text := $body$
            v_former := current_setting('evervec.bypass', true);
            perform set_config('evervec.bypass', 'on', true);$body$;
    v_back   text := $body$
            perform set_config('evervec.bypass', coalesce(v_former, ''), true);$body$;
begin
    select * into v_sql from evervec.fragments(p_source);
    select string_agg(format('s.%I as key_%s', c.name, c.ordinality), ', ' order by c.ordinality) as read,
           string_agg(format('t.%I %s l.key_%s', c.name, o.operator, c.ordinality), ' and ' order by c.ordinality) as matched
      into v_keys
      from unnest(p_source.key_columns) with ordinality as c (name, ordinality)
      join unnest(p_source.key_operators) with ordinality as o (operator, ordinality) using (ordinality);
    perform evervec.create_row_function(
        p_source, 'write', 'p_row_keys jsonb[], p_hashes bytea[], p_embeddings vector[], p_model_id integer, p_notes text[]',
        'table (ordinal integer, outcome text)', false,
        format(
            $body$
        declare
            v_former text;
        begin
            %1$s
            return query
            with locked as materialized (
                select k.ordinality, k.content_hash, k.embedding, s.*
                  from unnest($1, $2, $3) with ordinality
                       as k (row_key, content_hash, embedding, ordinality)
                  cross join lateral (
                    select sha256(convert_to(%2$s, 'UTF8')) = k.content_hash as still_true, %3$s
                      from %4$s s
                     where %5$s
                       for no key update of s skip locked
                  ) s
            ), written as (
                update %4$s t
                   set %6$s
                  from locked l
                 where %7$s and l.still_true
            )
            select k.ordinality::integer,
                   case when l.still_true then 'completed'
                        when l.ordinality is not null then 'superseded'
                        when exists (select from %4$s s where %5$s) then 'locked'
                        else 'gone' end
              from unnest($1) with ordinality as k (row_key, ordinality)
              left join locked l on l.ordinality = k.ordinality;
            %8$s
        end
            $body$,
            v_bypass, v_sql.content, v_keys.read, v_sql.relation, evervec.key_match(p_source, 's', false),
            concat_ws(', ',
                format('%I = l.embedding', p_source.vector_column),
                format('%I = l.content_hash', p_source.hash_column),
                format('%I = %L', p_source.model_column, (select m.name from evervec.model m where m.model_id = p_source.model_id)),
                format('%I = now()', p_source.time_column),
                format('%I = %s', p_source.version_column, p_source.version)),
            v_keys.matched, v_back),
        'set enable_seqscan = off set jit = off');
    perform evervec.create_row_function(
        p_source, 'erase', 'p_row_keys jsonb[]', 'integer[]', false,
        format(
            $body$
        declare
            v_former text;
            v_held   integer[];
        begin
            %1$s
            with held as materialized (
                select e.tableoid as partition, e.ctid as address
                  from unnest($1) as k (row_key)
                  join %2$s e on %3$s
                 where num_nonnulls(e.%4$I, e.%5$I) > 0
                   for no key update of e skip locked
            )
            update %2$s t
               set %4$I = null, %5$I = null
              from held h
             where t.tableoid = h.partition and t.ctid = h.address;
            v_held := array(
                select k.ordinality::integer
                  from unnest($1) with ordinality as k (row_key, ordinality)
                 where exists (select from %2$s e where %3$s and num_nonnulls(e.%4$I, e.%5$I) > 0));
            %6$s
            return v_held;
        end
            $body$,
            v_bypass, v_sql.relation, evervec.key_match(p_source, 'e', true), p_source.vector_column, p_source.hash_column, v_back));
end
$$;

comment on function evervec.create_column_functions(evervec.source) is
$$Internal. Creates or replaces write_<source> and erase_<source> for column storage.$$;

revoke execute on function evervec.create_column_functions(evervec.source) from public;
