-- create_row_functions: the generated functions through which claim, complete and passes touch a source.
--
-- key_<source>(key columns) → row_key
-- render_<source>(row_keys) → texts as they are now, and what the stored vectors stand for
-- write_<source>(row_keys, hashes, vectors, model) → stores what is still true, says what became of the rest
-- erase_<source>(row_keys) → drops vectors; gives back the positions that a user's transaction holds
-- slice_<source>(after, limit, by hash) → the next rows in key order, and whether their vectors are right
-- orphans_<source>(after, limit) → the next vectors in key order, and whether their rows exist
--
-- Locks:  none that matter; the functions take ROW SHARE on the source and never wait for a row lock.
create or replace function evervec.create_row_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_name       text := p_source.name;
    v_pins       text := evervec.pinned_settings();
    v_content    text := format('(select case when r.content ~ ''\S'' then r.content end from (select %s) as r (content))',
                                p_source.text_expression);
    v_relation   text := evervec.qualified_name(p_source.relation);
    v_target     text := evervec.qualified_name(p_source.target);
    v_as_text    boolean[];
    v_key_object text;
begin
    select array_agg(k.as_text order by k.ordinal),
           string_agg(format('%L, $%s%s', c.name, c.ordinality, case when k.as_text then '::text' else '' end),
                      ', ' order by c.ordinality)
      into v_as_text, v_key_object
      from unnest(p_source.key_columns) with ordinality as c (name, ordinality)
      join evervec.primary_key(p_source.relation) k on k.ordinal = c.ordinality;

    -- Without SET clauses it inlines; keys that print the same in every session need none. NULL among the arguments means that
    -- the caller could not name the row (see key_of_change).
    execute format(
        $sql$
        create or replace function evervec.%1$I(%2$s) returns jsonb
        language sql stable %3$s
        return case when %4$s then jsonb_build_object(%5$s) end
        $sql$,
        'key_' || v_name,
        array_to_string(p_source.key_types, ', '),
        case when true = any (v_as_text) then 'set search_path from current ' || v_pins else '' end,
        (select string_agg(format('$%s is not null', g), ' and ' order by g) from generate_series(1, cardinality(p_source.key_types)) g),
        v_key_object);
    execute format('revoke execute on function evervec.%I from public', 'key_' || v_name);
    execute format('grant execute on function evervec.%I to %s', 'key_' || v_name,
                   (select c.relowner::regrole from pg_class c where c.oid = p_source.relation));

    execute format(
        $sql$
        create or replace function evervec.%1$I(p_row_keys jsonb[])
        returns table (ordinal integer, found boolean, content text, stored_hash bytea, stored_model_id integer)
        language plpgsql stable
        set search_path from current %2$s
        as $body$
        begin
            return query
            select k.ordinality::integer, s.found is not null, s.content, e.content_hash, e.model_id
              from unnest(p_row_keys) with ordinality as k (row_key, ordinality)
              left join lateral (select true, %3$s from %4$s s where %5$s) as s (found, content) on true
              left join %6$s e on %7$s;
        end
        $body$
        $sql$,
        'render_' || v_name, v_pins, v_content, v_relation,
        evervec.key_match(p_source, 's', false), v_target, evervec.key_match(p_source, 'e', true));
    perform evervec.act_as_owner(p_source, format('evervec.%I(jsonb[])', 'render_' || v_name)::regprocedure);

    -- KEY SHARE keeps the row from being deleted under us; SKIP LOCKED never waits for a user. The text is rendered again under the
    -- lock: a vector is stored only for the text that the row has now.
    execute format(
        $sql$
        create or replace function evervec.%1$I(
            p_row_keys jsonb[], p_hashes bytea[], p_embeddings vector[], p_model_id integer
        )
        returns table (ordinal integer, outcome text)
        language plpgsql
        set search_path from current %2$s
        as $body$
        begin
            return query
            with k as materialized (
                select u.row_key, u.content_hash, u.embedding, u.ordinality
                  from unnest(p_row_keys, p_hashes, p_embeddings) with ordinality
                       as u (row_key, content_hash, embedding, ordinality)
            ), locked as materialized (
                select k.ordinality, k.content_hash, k.embedding, %3$s as content, %4$s
                  from k
                  join %5$s s on %6$s
                   for key share of s skip locked
            ), written as (
                insert into %7$s as t (content_hash, model_id, embedding, %8$s)
                select l.content_hash, p_model_id, l.embedding, %9$s
                  from locked l
                 where sha256(convert_to(l.content, 'UTF8')) = l.content_hash
                on conflict (%8$s) do update
                   set content_hash = excluded.content_hash,
                       model_id     = excluded.model_id,
                       embedding    = excluded.embedding,
                       updated_at   = now()
            )
            select k.ordinality::integer,
                   case when sha256(convert_to(l.content, 'UTF8')) = l.content_hash then 'completed'
                        when l.ordinality is not null then 'superseded'
                        when exists (select from %5$s s where %6$s) then 'locked'
                        else 'gone' end
              from k
              left join locked l on l.ordinality = k.ordinality;
        end
        $body$
        $sql$,
        'write_' || v_name, v_pins, v_content,
        (select string_agg(format('s.%I as key_%s', c.name, c.ordinality), ', ' order by c.ordinality)
           from unnest(p_source.key_columns) with ordinality as c (name, ordinality)),
        v_relation, evervec.key_match(p_source, 's', false), v_target,
        evervec.key_list(p_source, null, true),
        (select string_agg(format('l.key_%s', c.ordinality), ', ' order by c.ordinality)
           from unnest(p_source.key_columns) with ordinality as c (name, ordinality)));
    perform evervec.act_as_owner(p_source, format('evervec.%I(jsonb[], bytea[], vector[], integer)', 'write_' || v_name)::regprocedure);

    execute format(
        $sql$
        create or replace function evervec.%1$I(p_row_keys jsonb[])
        returns integer[]
        language plpgsql
        set search_path from current %2$s
        as $body$
        begin
            delete from %3$s d
             where d.ctid in (
                select e.ctid
                  from unnest(p_row_keys) as k (row_key)
                  join %3$s e on %4$s
                   for update of e skip locked);
            return array(
                select k.ordinality::integer
                  from unnest(p_row_keys) with ordinality as k (row_key, ordinality)
                 where exists (select from %3$s e where %4$s));
        end
        $body$
        $sql$,
        'erase_' || v_name, v_pins, v_target, evervec.key_match(p_source, 'e', true));
    perform evervec.act_as_owner(p_source, format('evervec.%I(jsonb[])', 'erase_' || v_name)::regprocedure);

    -- Two branches instead of one condition with OR: each is a plain range scan of the primary key.
    execute format(
        $sql$
        create or replace function evervec.%1$I(p_after jsonb, p_limit integer, p_by_hash boolean)
        returns table (row_key jsonb, state text)
        language plpgsql stable
        set search_path from current %2$s
        as $body$
        begin
            if p_after is null then
                return query %3$s;
            else
                return query %4$s;
            end if;
        end
        $body$
        $sql$,
        'slice_' || v_name, v_pins,
        evervec.slice_query(p_source, v_content, 'true'),
        evervec.slice_query(p_source, v_content,
                            format('(%s) > (%s)', evervec.key_list(p_source, 's'), evervec.key_decoded(p_source, 'p_after'))));
    perform evervec.act_as_owner(p_source, format('evervec.%I(jsonb, integer, boolean)', 'slice_' || v_name)::regprocedure);

    execute format(
        $sql$
        create or replace function evervec.%1$I(p_after jsonb, p_limit integer)
        returns table (row_key jsonb, state text)
        language plpgsql stable
        set search_path from current %2$s
        as $body$
        begin
            if p_after is null then
                return query %3$s;
            else
                return query %4$s;
            end if;
        end
        $body$
        $sql$,
        'orphans_' || v_name, v_pins,
        evervec.orphans_query(p_source, 'true'),
        evervec.orphans_query(p_source, format('(%s) > (%s)', evervec.key_list(p_source, 'e', true),
                                               evervec.key_decoded(p_source, 'p_after'))));
    perform evervec.act_as_owner(p_source, format('evervec.%I(jsonb, integer)', 'orphans_' || v_name)::regprocedure);
end
$$;

comment on function evervec.create_row_functions(evervec.source) is
$$Internal. Creates or replaces the functions key_, render_, write_, erase_, slice_ and orphans_<source>.$$;

revoke execute on function evervec.create_row_functions(evervec.source) from public;
