-- key_list: the key columns of a source as a list, for generated SQL: s.id, s.lang.
--
-- Locks:  none.
create or replace function evervec.key_list(
    p_source evervec.source,
    p_alias  text,
    p_target boolean default false
)
returns text
language sql immutable
set search_path from current
as $$
    select string_agg(concat_ws('.', p_alias, quote_ident(c.name)), ', ' order by c.ordinality)
      from unnest(case when p_target then p_source.target_key_columns else p_source.key_columns end)
           with ordinality as c (name, ordinality)
$$;

comment on function evervec.key_list(evervec.source, text, boolean) is
$$Internal. Key columns of the source (or of its embedding table) behind an alias, NULL for none, as a list.$$;

revoke execute on function evervec.key_list(evervec.source, text, boolean) from public;
