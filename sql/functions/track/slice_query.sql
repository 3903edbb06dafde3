-- slice_query: the query of slice_<source>: rows in key order, and whether their vectors are right.
--
-- empty: neither text nor vector · missing: no vector · stale: a vector of another model or text · ok.
-- Locks:  none.
-- needs: functions/track/key_call.sql
-- needs: functions/track/key_match.sql
-- needs: functions/track/key_decoded.sql
-- needs: functions/core/qualified_name.sql
create or replace function evervec.slice_query(p_source evervec.source, p_content text, p_condition text)
returns text
language sql stable
set search_path from current
as $$
    select format(
        $query$
        select %1$s,
               case when p_by_hash and s.content is null and e.content_hash is null then 'empty'
                    when e.content_hash is null then 'missing'
                    when e.model_id <> %2$s then 'stale'
                    when p_by_hash and sha256(convert_to(s.content, 'UTF8')) is distinct from e.content_hash then 'stale'
                    else 'ok' end
          from (select %3$s, case when p_by_hash then %4$s end as content
                  from %5$s s
                 where %6$s
                 order by %3$s
                 limit p_limit) s
          left join %7$s e on %8$s
         order by %3$s
        $query$,
        evervec.key_call(p_source, 's'), p_source.model_id, evervec.key_list(p_source, 's'), p_content,
        evervec.qualified_name(p_source.relation), p_condition, evervec.qualified_name(p_source.target), evervec.key_match(p_source, 'e', true, 's', false))
$$;

comment on function evervec.slice_query(evervec.source, text, text) is
$$Internal. The query behind slice_<source>, under one condition on where it begins.$$;

revoke execute on function evervec.slice_query(evervec.source, text, text) from public;
