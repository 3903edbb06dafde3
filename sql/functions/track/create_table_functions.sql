-- create_table_functions: write_<source> and erase_<source> for vectors in a table of their own.
--
-- KEY SHARE keeps the row from being deleted under us; SKIP LOCKED never waits for a user. The text is rendered again under the
-- lock: a vector is stored only for the text that the row has now. Rows are looked up one by one, whatever the plan was made for.
-- Locks:  none that matter.
create or replace function evervec.create_table_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql     record;
    v_keys    record;
    -- Where texts are searched for their words, the recipe is evaluated once for both: OFFSET keeps the planner from copying it.
    v_words   boolean := p_source.text_search is not null;
    v_content text;
begin
    select * into v_sql from evervec.fragments(p_source);
    v_content := case when v_words then 't.content' else v_sql.content end;
    select string_agg(format('s.%I as key_%s', c.name, c.ordinality), ', ' order by c.ordinality) as read,
           string_agg(format('l.key_%s', c.ordinality), ', ' order by c.ordinality) as written,
           evervec.key_list(p_source, null, true) as target
      into v_keys
      from unnest(p_source.key_columns) with ordinality as c (name, ordinality);
    perform evervec.create_row_function(
        p_source, 'write', 'p_row_keys jsonb[], p_hashes bytea[], p_embeddings vector[], p_model_id integer, p_notes text[]',
        'table (ordinal integer, outcome text)', false,
        format(
            $body$
        begin
            return query
            with locked as materialized (
                select k.ordinality, k.content_hash, k.embedding, k.note, s.*
                  from unnest($1, $2, $3, $5) with ordinality
                       as k (row_key, content_hash, embedding, note, ordinality)
                  cross join lateral (
                    select sha256(convert_to(%1$s, 'UTF8')) = k.content_hash as still_true, %2$s %8$s
                      from %3$s s %9$s
                     where %4$s
                       for key share of s skip locked
                  ) s
            ), written as (
                insert into %5$s (content_hash, model_id, embedding, note, %6$s %10$s)
                select l.content_hash, $4, l.embedding, l.note, %7$s %11$s
                  from locked l %13$s
                 where l.still_true
                on conflict (%6$s) do update
                   set content_hash = excluded.content_hash,
                       model_id     = excluded.model_id,
                       embedding    = excluded.embedding,
                       note         = excluded.note,
                       updated_at   = now() %12$s
            )
            select k.ordinality::integer,
                   case when l.still_true then 'completed'
                        when l.ordinality is not null then 'superseded'
                        when exists (select from %3$s s where %4$s) then 'locked'
                        else 'gone' end
              from unnest($1) with ordinality as k (row_key, ordinality)
              left join locked l on l.ordinality = k.ordinality;
        end
            $body$,
            v_content, v_keys.read, v_sql.relation, evervec.key_match(p_source, 's', false), v_sql.target, v_keys.target,
            v_keys.written,
            case when v_words then ', t.content' end,
            case when v_words then format('cross join lateral (select %s as content offset 0) t', v_sql.content) end,
            case when v_words then ', document' end || case when p_source.bm25 then ', document_text' else '' end,
            case when p_source.bm25 then ', d.document, case when d.document is not null then left(l.content, 200000) end'
                 when v_words then format(', evervec.%I(l.content)', 'document_' || p_source.name) end,
            case when v_words then ', document = excluded.document' end
            || case when p_source.bm25 then ', document_text = excluded.document_text' else '' end,
            case when p_source.bm25 then format('cross join lateral (select evervec.%I(l.content) as document offset 0) d',
                                                'document_' || p_source.name) end),
        'set enable_seqscan = off set jit = off' || case when p_source.bm25 then ' set client_min_messages = warning' else '' end);
    perform evervec.create_row_function(
        p_source, 'erase', 'p_row_keys jsonb[]', 'integer[]', false,
        format(
            $body$
        begin
            delete from %1$s d
             where d.ctid in (
                select e.ctid
                  from unnest($1) as k (row_key)
                  join %1$s e on %2$s
                   for update of e skip locked);
            return array(
                select k.ordinality::integer
                  from unnest($1) with ordinality as k (row_key, ordinality)
                 where exists (select from %1$s e where %2$s));
        end
            $body$,
            v_sql.target, evervec.key_match(p_source, 'e', true)));
end
$$;

comment on function evervec.create_table_functions(evervec.source) is
$$Internal. Creates or replaces write_<source> and erase_<source> for table and manual storage.$$;

revoke execute on function evervec.create_table_functions(evervec.source) from public;
