-- create_pass_functions: the generated functions that a pass walks over a source with, slice by slice.
--
-- slice_<source>(after, limit, by hash) → the next rows in key order: ok, missing (no vector), stale (of another model or text, or without its
-- words), archived (its vector was dropped on purpose), empty (neither text nor vector)
-- orphans_<source>(after, limit) → the next vectors in key order: ok or orphan (no row)
--
-- Two branches instead of one condition with OR: each is a plain range scan of the primary key.
-- Locks:  none that matter.
create or replace function evervec.create_pass_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql     record;
    v_body    text := $body$
        begin
            if $1 is null then
                return query %s;
            else
                return query %s;
            end if;
        end
        $body$;
    v_slice   text;
    v_orphans text;
    v_missing text := case when p_source.storage = 'manual' then 'e.stored_model is null' else 'e.stored_hash is null' end;
begin
    select * into v_sql from evervec.fragments(p_source);
    v_slice := format(
        $query$
        select %1$s,
               case when $3 and s."evervec content" is null and %2$s then %11$L
                    when %2$s then 'missing'
                    when e.stored_model is distinct from %3$s then 'stale'
                    %12$s
                    when $3 and sha256(convert_to(s."evervec content", 'UTF8')) is distinct from e.stored_hash then 'stale'
                    when e.archived then 'archived'
                    else 'ok' end
          from (select %4$s, case when $3 then %5$s end as "evervec content"
                  from %6$s s
                 where @condition@
                 order by %4$s
                 limit $2) s
          left join lateral (select %7$s as stored_hash, %8$s as stored_model, %14$s as archived %13$s from %9$s e where %10$s) e on true
         order by %4$s
        $query$,
        evervec.key_call(p_source, 's'), v_missing, p_source.model_id,
        evervec.key_list(p_source, 's'), v_sql.content, v_sql.relation, v_sql.stored_hash, v_sql.stored_model, v_sql.target,
        evervec.key_match(p_source, 'e', true, 's', false), case p_source.storage when 'manual' then 'missing' else 'empty' end,
        case when p_source.text_search is not null then 'when not e.documented then ''stale''' end,
        case when p_source.text_search is not null then format(', e.document is not null %s as documented', case when p_source.bm25 then 'and e.document_text is not null' end) end,
        v_sql.archived);
    v_orphans := format(
        $query$
        select %1$s, case when exists (select from %2$s s where %3$s) then 'ok' else 'orphan' end
          from (select %4$s from %5$s e where @condition@ order by %4$s limit $2) e
         order by %4$s
        $query$,
        evervec.key_call(p_source, 'e', true), v_sql.relation, evervec.key_match(p_source, 's', false, 'e', true),
        evervec.key_list(p_source, 'e', true), v_sql.target);

    perform evervec.create_row_function(
        p_source, 'slice', 'p_after jsonb, p_limit integer, p_by_hash boolean', 'table (row_key jsonb, state text)', true,
        format(v_body, replace(v_slice, '@condition@', 'true'),
               replace(v_slice, '@condition@', format('(%s) > (%s)', evervec.key_list(p_source, 's'),
                                                      evervec.key_decoded(p_source, '$1')))));
    perform evervec.create_row_function(
        p_source, 'orphans', 'p_after jsonb, p_limit integer', 'table (row_key jsonb, state text)', true,
        format(v_body, replace(v_orphans, '@condition@', 'true'),
               replace(v_orphans, '@condition@', format('(%s) > (%s)', evervec.key_list(p_source, 'e', true),
                                                        evervec.key_decoded(p_source, '$1')))));
end
$$;

comment on function evervec.create_pass_functions(evervec.source) is
$$Internal. Creates or replaces slice_<source> and orphans_<source>.$$;

revoke execute on function evervec.create_pass_functions(evervec.source) from public;
