-- create_key_function: key_<source>, the one place where a row_key is built, and canonical_<source>, which reads one and builds it anew.
--
-- Without SET clauses it inlines; keys that print the same in every session need none. NULL among the arguments means that
-- the caller could not name the row (see changed_keys). To read a key may run what its owner has put into a domain: with that owner's rights.
-- Locks:  none that matter.
create or replace function evervec.create_key_function(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_key record;
begin
    select string_agg(format('%L, $%s%s', c.name, c.ordinality, case when k.as_text then '::text' else '' end),
                      ', ' order by c.ordinality) as members,
           string_agg(format('$%s is not null', c.ordinality), ' and ' order by c.ordinality) as known,
           bool_or(k.as_text) as pinned
      into v_key
      from unnest(p_source.key_columns) with ordinality as c (name, ordinality)
      join evervec.primary_key(p_source.relation) k on k.ordinal = c.ordinality;
    execute format(
        $sql$
        create or replace function evervec.%1$I(%2$s) returns jsonb
        language sql stable %3$s
        return case when %4$s then jsonb_build_object(%5$s) end
        $sql$,
        'key_' || p_source.name,
        array_to_string(p_source.key_types, ', '),
        case when v_key.pinned then 'set search_path from current ' || evervec.pinned_settings() else '' end,
        v_key.known, v_key.members);
    execute format('revoke execute on function evervec.%I from public', 'key_' || p_source.name);
    execute format('grant execute on function evervec.%I to %s', 'key_' || p_source.name,
                   (select c.relowner::regrole from pg_class c where c.oid = p_source.relation));
    perform evervec.create_row_function(
        p_source, 'canonical', 'p_row_key jsonb', 'jsonb', true,
        format('begin return evervec.%I(%s); end', 'key_' || p_source.name, evervec.key_decoded(p_source, '$1')));
end
$$;

comment on function evervec.create_key_function(evervec.source) is
$$Internal. Creates or replaces key_<source> and canonical_<source>.$$;

revoke execute on function evervec.create_key_function(evervec.source) from public;
