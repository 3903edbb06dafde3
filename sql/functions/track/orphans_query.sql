-- orphans_query: the query of orphans_<source>: vectors in key order, and whether their rows exist.
--
-- Locks:  none.
-- needs: functions/track/key_call.sql
-- needs: functions/track/key_match.sql
-- needs: functions/track/key_decoded.sql
-- needs: functions/core/qualified_name.sql
create or replace function evervec.orphans_query(p_source evervec.source, p_condition text)
returns text
language sql stable
set search_path from current
as $$
    select format(
        $query$
        select %1$s,
               case when exists (select from %2$s s where %3$s) then 'ok' else 'orphan' end
          from (select %4$s from %5$s e where %6$s order by %4$s limit p_limit) e
         order by %4$s
        $query$,
        evervec.key_call(p_source, 'e', true), evervec.qualified_name(p_source.relation), evervec.key_match(p_source, 's', false, 'e', true),
        evervec.key_list(p_source, 'e', true), evervec.qualified_name(p_source.target), p_condition)
$$;

comment on function evervec.orphans_query(evervec.source, text) is
$$Internal. The query behind orphans_<source>, under one condition on where it begins.$$;

revoke execute on function evervec.orphans_query(evervec.source, text) from public;
