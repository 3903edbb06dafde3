-- fragments: the pieces of SQL that several generated functions of a source share.
--
-- relation    its table; plain inheritance is left out: children of a table are tables of their own
-- content     the text of row s; NULL when it has none
-- vector_held, stored_hash, stored_model   of the vector e, NULL when there is none
-- Locks:  none.
create or replace function evervec.fragments(
    p_source         evervec.source,
    out relation     text,
    out target       text,
    out content      text,
    out stored_hash  text,
    out stored_model text
)
language sql stable
set search_path from current
as $$
    select case when p_source.relation_kind = 'p' then '' else 'only ' end || evervec.qualified_name(p_source.relation),
           evervec.qualified_name(p_source.target),
           format(E'(select case when r.content collate "default" ~ ''\\S'' then r.content end from (select %s) as r (content))', p_source.text_expression),
           case p_source.storage
               when 'column' then format('case when e.%I is not null then coalesce(e.%I, ''''::bytea) end',
                                         p_source.vector_column, p_source.hash_column)
               when 'manual' then 'e.content_hash'
               else 'e.content_hash' end,
           case p_source.storage
               when 'column' then (
                    select format('case when e.%I = %L %s then %s end', p_source.model_column, m.name,
                                  case when p_source.version_column is not null
                                       then format('and e.%I = %s', p_source.version_column, p_source.version) end,
                                  m.model_id)
                      from evervec.model m where m.model_id = p_source.model_id)
               else 'e.model_id' end
$$;

comment on function evervec.fragments(evervec.source) is
$$Internal. SQL fragments for the generated functions of a source: its table, its vectors' table, the text of row s, hash and model of vector e.$$;

revoke execute on function evervec.fragments(evervec.source) from public;
