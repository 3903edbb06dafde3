-- signal_values: the select list that makes a signal_row of what a signal's query gives.
--
-- No number comes through that is none, or infinite; a billion is as much as counts, so that sums of weights stay within their type.
-- Locks:  none.
create or replace function evervec.signal_values(p_source evervec.source, p_columns jsonb, p_keys text[])
returns text
language sql immutable
set search_path from current
as $$
    select format('q.user_id::text, evervec.%I(%s), ', 'key_' || p_source.name,
                  (select string_agg(format('q.%I::%s', k.name, k.type), ', ' order by k.n)
                     from unnest(p_keys, p_source.key_types) with ordinality as k (name, type, n)))
           || string_agg(format(case when not p_columns ? v.name or v.name = any (p_keys) then 'null::%2$s as %1$I'
                                     when v.type = 'text' then 'q.%1$I::text as %1$I'
                                     when v.type = 'timestamptz' then 'case when isfinite(q.%1$I::%2$s) then q.%1$I::%2$s end as %1$I'
                                     else 'case when abs(q.%1$I::%2$s) < ''Infinity'' then greatest(least(q.%1$I::%2$s, 1e9), -1e9) end as %1$I'
                                end, v.name, v.type), ', ' order by v.n)
      from unnest(array['rating', 'frequency', 'amount', 'weight', 'at'],
                  array['double precision', 'text', 'double precision', 'double precision', 'timestamptz']) with ordinality as v (name, type, n)
$$;

comment on function evervec.signal_values(evervec.source, jsonb, text[]) is
$$Internal. Select list over q, what a signal's query gives, in the columns of signal_row.$$;

revoke execute on function evervec.signal_values(evervec.source, jsonb, text[]) from public;
