-- get_source: what a caller needs to know about a source to search it.
--
-- Locks:  none.
-- Raises: VE101 unknown source
-- needs: functions/core/source_named.sql
-- needs: functions/core/bm25_schema.sql
-- needs: functions/index/index_of.sql
create or replace function evervec.get_source(p_name text)
returns table (
    name               text,
    relation           text,
    model              text,
    dimensions         integer,
    target             text,
    distance           text,
    key_columns        text[],
    target_key_columns text[],
    state              text,
    text_ranking       text
)
language sql stable security definer
set search_path from current
as $$
    select s.name, s.relation::text, m.name, m.dimensions, s.target::text, s.distance, s.key_columns, s.target_key_columns, s.state,
           case when s.text_search is null then null when b.valid and evervec.bm25_schema() is not null then 'bm25' else 'ts_rank_cd' end
      from evervec.source_named(p_name) s
      left join lateral evervec.index_of(s, 'document_text') b on s.bm25
      join evervec.model m using (model_id)
$$;

comment on function evervec.get_source(text) is
$$One source by its name: table, model, dimensions, embedding table, distance, key columns, state, and what ranks its words: bm25 (of pg_textsearch), ts_rank_cd, or NULL where none are kept. Raises VE101.$$;

revoke execute on function evervec.get_source(text) from public;
