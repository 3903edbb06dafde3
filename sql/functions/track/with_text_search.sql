-- with_text_search: a source with the configuration of full text search that its texts are kept by beside their vectors.
--
-- Kept by its name with its schema: what pg_upgrade carries over. With p_bm25 their texts are kept too, for pg_textsearch.
-- Locks:  none.
-- Raises: VE111 unknown configuration, vectors that are not in a table of evervec's, or no pg_textsearch
create or replace function evervec.with_text_search(p_source evervec.source, p_text_search text, p_bm25 boolean)
returns evervec.source
language plpgsql stable
set search_path from current
as $$
declare
    v_configuration oid;
begin
    if p_bm25 and evervec.bm25_schema() is null then
        raise exception using
            errcode = 'VE111',
            message = 'p_bm25 cannot be true',
            detail  = 'The extension pg_textsearch is not installed in this database.',
            hint    = 'CREATE EXTENSION pg_textsearch; or leave p_bm25 out: ts_rank_cd then ranks the words.';
    end if;
    if p_text_search is null then
        p_source.bm25 := p_source.text_search is not null and coalesce(p_bm25, p_source.bm25);
        return p_source;
    end if;
    p_source.text_search := null;
    p_source.bm25 := p_text_search <> '' and coalesce(p_bm25, evervec.bm25_schema() is not null);
    if p_text_search = '' then
        return p_source;
    elsif p_source.storage <> 'table' then
        raise exception using
            errcode = 'VE111',
            message = format('p_text_search cannot be had with p_storage %L', p_source.storage),
            detail  = 'Texts for full text search are kept beside their vectors, in a table of evervec''s own; a user''s table is never altered for them, and vectors of yours have no text.',
            hint    = 'Leave p_storage out; or keep a tsvector of your own, and search by two queries.';
    end if;
    begin
        v_configuration := p_text_search::regconfig;
    exception when undefined_object or syntax_error or invalid_name or invalid_schema_name or feature_not_supported then
        null;
    end;
    select format('%I.%I', n.nspname, c.cfgname) into p_source.text_search
      from pg_ts_config c
      join pg_namespace n on n.oid = c.cfgnamespace
     where c.oid = v_configuration;
    if not found then
        raise exception using
            errcode = 'VE111',
            message = format('p_text_search cannot be %L', p_text_search),
            detail  = (select format('There is no such configuration of full text search. Those that are there: %s.',
                                     string_agg(case when n.nspname = 'pg_catalog' then quote_ident(c.cfgname)
                                                     else format('%I.%I', n.nspname, c.cfgname) end, ', ' order by n.nspname = 'pg_catalog', c.cfgname))
                         from pg_ts_config c
                         join pg_namespace n on n.oid = c.cfgnamespace),
            hint    = 'Choose the one of the language of the texts, or simple for several; name one of your own with its schema.';
    end if;
    return p_source;
end
$$;

comment on function evervec.with_text_search(evervec.source, text, boolean) is
$$Internal. The source with text_search and bm25 set; NULL keeps what it has, '' is none. Raises VE111.$$;

revoke execute on function evervec.with_text_search(evervec.source, text, boolean) from public;
