-- key_match: the condition that two sides have the same key, compared as the primary key compares.
--
-- The left side is an alias; the right side an alias too, or NULL for the row_key in k.row_key.
-- Locks:  none.
create or replace function evervec.key_match(
    p_source       evervec.source,
    p_left         text,
    p_left_target  boolean,
    p_right        text default null,
    p_right_target boolean default false
)
returns text
language sql immutable
set search_path from current
as $$
    select string_agg(
               format('%s.%I %s %s',
                      p_left,
                      case when p_left_target then c.target else c.name end,
                      c.operator,
                      case when p_right is null then format('(k.row_key->>%L)::%s', c.name, c.type)
                           else format('%s.%I', p_right, case when p_right_target then c.target else c.name end) end),
               ' and ' order by c.ordinality)
      from unnest(p_source.key_columns, p_source.target_key_columns, p_source.key_types, p_source.key_operators)
           with ordinality as c (name, target, type, operator, ordinality)
$$;

comment on function evervec.key_match(evervec.source, text, boolean, text, boolean) is
$$Internal. SQL condition: the key of the left alias equals that of the right alias, or of k.row_key when p_right is NULL.$$;

revoke execute on function evervec.key_match(evervec.source, text, boolean, text, boolean) from public;
