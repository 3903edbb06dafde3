-- fragments: the pieces of SQL that several generated functions of a source share.
--
-- relation    its table; plain inheritance is left out: children of a table are tables of their own
-- content     the text of row s; NULL when it has none
-- stored_hash, stored_model   of the vector e, NULL when there is none
-- archived    whether e is an archived row: one that keeps its place, its hash and its words, but has no vector. Of evervec's own table that is
--             a row without one, except that restore gives it a model_id of 0, so that it is embedded again. In a user's table, where NULL means
--             "embed again", the column of the model says so.
-- Locks:  none.
create or replace function evervec.fragments(
    p_source         evervec.source,
    out relation     text,
    out target       text,
    out content      text,
    out stored_hash  text,
    out stored_model text,
    out archived     text
)
language sql stable
set search_path from current
as $$
    select case when p_source.relation_kind = 'p' then '' else 'only ' end || evervec.qualified_name(p_source.relation),
           evervec.qualified_name(p_source.target),
           format(E'(select case when r.content collate "default" ~ ''\\S'' then r.content end from (select %s) as r (content))', p_source.text_expression),
           case p_source.storage
               when 'column' then format('case when e.%1$I is not null then coalesce(e.%2$I, ''''::bytea) when e.%3$I = ''archived'' then e.%2$I end',
                                         p_source.vector_column, p_source.hash_column, p_source.model_column)
               when 'manual' then 'e.content_hash'
               else 'e.content_hash' end,
           case p_source.storage
               when 'column' then (
                    select format('case when e.%1$I = %2$L %3$s or e.%4$I is null and e.%1$I = ''archived'' then %5$s end', p_source.model_column, m.name,
                                  case when p_source.version_column is not null
                                       then format('and e.%I = %s', p_source.version_column, p_source.version) end,
                                  p_source.vector_column, m.model_id)
                      from evervec.model m where m.model_id = p_source.model_id)
               else 'e.model_id' end,
           case p_source.storage
               when 'column' then format('(e.%I is null and e.%I is not null and coalesce(e.%I = ''archived'', false))',
                                         p_source.vector_column, p_source.hash_column, p_source.model_column)
               else format('(e.%I is null and coalesce(e.model_id, 0) <> 0)', p_source.vector_column) end
$$;

comment on function evervec.fragments(evervec.source) is
$$Internal. SQL fragments for the generated functions of a source: its table, its vectors' table, the text of row s, hash and model of vector e, and whether e is an archived row.$$;

revoke execute on function evervec.fragments(evervec.source) from public;
