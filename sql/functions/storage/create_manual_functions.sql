-- create_manual_functions: put_<source> and remove_<source>, through which an application brings and takes away its own vectors.
--
-- put_ waits for a user's transaction that holds a row, because a row that is being deleted must not get a vector; the caller sets
-- lock_timeout. Of several vectors for one row the last counts. erase_<source>, by which workers sweep, is written here once more:
-- nobody embeds a manual row anew, so a vector is swept only while its row is not there.
-- Locks:  none that matter; put_ takes rows of the source FOR KEY SHARE.
-- needs: functions/track/fragments.sql
create or replace function evervec.create_manual_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql  record;
    v_keys record;
begin
    select * into v_sql from evervec.fragments(p_source);
    select string_agg(format('s.%I as key_%s', c.name, c.ordinality), ', ' order by c.ordinality) as read,
           string_agg(format('l.key_%s', c.ordinality), ', ' order by c.ordinality) as written,
           evervec.key_list(p_source, null, true) as target
      into v_keys
      from unnest(p_source.key_columns) with ordinality as c (name, ordinality);
    perform evervec.create_row_function(
        p_source, 'put', 'p_row_keys jsonb[], p_embeddings vector[], p_metadata jsonb[], p_model_id integer', 'bigint', false,
        format(
            $body$
        declare
            v_rows bigint;
        begin
            with k as materialized (
                select u.row_key, u.embedding, u.metadata, u.ordinality
                  from unnest(p_row_keys, p_embeddings, p_metadata) with ordinality
                       as u (row_key, embedding, metadata, ordinality)
            ), locked as materialized (
                select k.embedding, k.metadata, k.ordinality, %1$s
                  from k
                  join %2$s s on %3$s
                   for key share of s
            ), written as (
                insert into %4$s (model_id, embedding, metadata, %5$s)
                select distinct on (%6$s) p_model_id, l.embedding, coalesce(l.metadata, '{}'), %6$s
                  from locked l
                 order by %6$s, l.ordinality desc
                on conflict (%5$s) do update
                   set model_id   = excluded.model_id,
                       embedding  = excluded.embedding,
                       metadata   = excluded.metadata,
                       updated_at = now()
            )
            select count(*) into v_rows from locked;
            return v_rows;
        end
            $body$,
            v_keys.read, v_sql.relation, evervec.key_match(p_source, 's', false), v_sql.target, v_keys.target, v_keys.written));
    perform evervec.create_row_function(
        p_source, 'remove', 'p_row_keys jsonb[]', 'bigint', false,
        format(
            $body$
        declare
            v_removed bigint;
        begin
            delete from %1$s e using unnest(p_row_keys) as k (row_key) where %2$s;
            get diagnostics v_removed = row_count;
            return v_removed;
        end
            $body$,
            v_sql.target, evervec.key_match(p_source, 'e', true)));
    perform evervec.create_row_function(
        p_source, 'erase', 'p_row_keys jsonb[]', 'integer[]', false,
        format(
            $body$
        begin
            delete from %1$s d
             where d.ctid in (
                select e.ctid
                  from unnest(p_row_keys) as k (row_key)
                  join %1$s e on %2$s
                 where not exists (select from %3$s s where %4$s)
                   for update of e skip locked);
            return array(
                select k.ordinality::integer
                  from unnest(p_row_keys) with ordinality as k (row_key, ordinality)
                 where exists (select from %1$s e where %2$s) and not exists (select from %3$s s where %4$s));
        end
            $body$,
            v_sql.target, evervec.key_match(p_source, 'e', true), v_sql.relation, evervec.key_match(p_source, 's', false)));
end
$$;

comment on function evervec.create_manual_functions(evervec.source) is
$$Internal. Creates or replaces put_<source>, remove_<source> and erase_<source> for manual storage.$$;

revoke execute on function evervec.create_manual_functions(evervec.source) from public;
