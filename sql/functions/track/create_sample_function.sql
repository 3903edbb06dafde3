-- create_sample_function: sample_<source>, a share of a source's rows: what their texts would be to a provider, and what is stored of them.
--
-- By whole pages, so that a small share reads little of a large table, of partitions too; the same rows at each call, so that an estimate
-- does not waver. page tells how many pages they were on, from which their share of the table follows whatever the statistics say.
-- Locks:  none that matter.
create or replace function evervec.create_sample_function(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql record;
begin
    select * into v_sql from evervec.fragments(p_source);
    perform evervec.create_row_function(
        p_source, 'sample', 'p_percent real, p_characters integer',
        'table (page text, content_hash bytea, characters integer, bytes integer, stored_hash bytea, stored_model_id integer)', true,
        format(
            $body$
        begin
            return query
            select s."evervec page", sha256(convert_to(s."evervec content", 'UTF8')), length(s."evervec content"),
                   octet_length(convert_to(left(s."evervec content", $2), 'UTF8')), %1$s, %2$s
              from (select %3$s, %4$s as "evervec content", s.tableoid || split_part(s.ctid::text, ',', 1) as "evervec page"
                      from %5$s s tablesample system ($1) repeatable (0)) s
              left join %6$s e on %7$s;
        end
            $body$,
            v_sql.stored_hash, v_sql.stored_model, evervec.key_list(p_source, 's'), v_sql.content, v_sql.relation, v_sql.target,
            evervec.key_match(p_source, 'e', true, 's', false)));
end
$$;

comment on function evervec.create_sample_function(evervec.source) is
$$Internal. Creates or replaces sample_<source>.$$;

revoke execute on function evervec.create_sample_function(evervec.source) from public;
