-- render_states: for some keys of a source, the texts as they are now, as far as its model reads them, and whether each needs a vector.
--
-- Locks:  none beyond ACCESS SHARE.
create or replace function evervec.render_states(
    p_source   evervec.source,
    p_row_keys jsonb[],
    p_since    timestamptz,
    out states text[],
    out texts  text[],
    out hashes bytea[]
)
language plpgsql stable
set search_path from current
as $$
begin
    execute format(
        $sql$
        select array_agg(case when not r.present then 'gone'
                              when $3 then 'unchanged'
                              when r.content is null then 'empty'
                              when r.stored_hash = r.content_hash and r.stored_model_id = $2 then 'unchanged'
                              when exists (select from evervec.embedding_cache c
                                            where c.model_id = $2 and c.content_hash = r.content_hash and c.used_at >= $4
                                              and (c.note is null or $5)) then 'cached'
                              else 'embed' end order by r.ordinal),
               array_agg(r.content order by r.ordinal),
               array_agg(r.content_hash order by r.ordinal)
          from evervec.%I($1, $6) r
        $sql$,
        'render_' || p_source.name)
    into states, texts, hashes
    using p_row_keys, p_source.model_id, p_source.storage = 'manual', p_since, p_source.too_long = 'cut',
          -- Workers take four characters for a token; one more tells them that the text goes on.
          (select least(4::bigint * m.input_limit + 1, 2147483647)::integer from evervec.model m where m.model_id = p_source.model_id);
end
$$;

comment on function evervec.render_states(evervec.source, jsonb[], timestamptz) is
$$Internal. Per key, in order: gone, empty, unchanged, cached (since p_since; NULL: no cache) or embed; the text, one character more than the model reads at most; SHA-256 of the whole text.$$;

revoke execute on function evervec.render_states(evervec.source, jsonb[], timestamptz) from public;
