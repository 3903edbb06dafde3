-- create_render_function: render_<source>, the texts of rows as they are now and what the stored vectors stand for.
--
-- A text is hashed whole and then cut (p_characters NULL: not), here already, so that nobody ever holds many great texts at once.
-- A session keeps the plan that it made while a table was empty, and rows are looked up by their keys all the same: LIMIT keeps the
-- planner from joining whole tables, the settings from scanning them.
-- An archived row that the source's retention does not call settled any more has no hash here: it is embedded again, though its text is the same.
-- Locks:  none that matter.
-- needs: functions/archive/settled_condition.sql
create or replace function evervec.create_render_function(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql     record;
    v_settled record;
begin
    select * into v_sql from evervec.fragments(p_source);
    select * into v_settled from evervec.settled_condition(p_source);
    if p_source.retention is not null then
        v_sql.stored_hash := format('case when not %s or s.settled and %s then %s end', v_sql.archived, v_settled.of_vector, v_sql.stored_hash);
    end if;
    perform evervec.create_row_function(
        p_source, 'render', 'p_row_keys jsonb[], p_characters integer',
        'table (ordinal integer, present boolean, content text, content_hash bytea, stored_hash bytea, stored_model_id integer)', true,
        format(
            $body$
        begin
            return query
            select k.ordinality::integer, s.present is not null, left(s.content, coalesce($2, 2147483647)),
                   sha256(convert_to(s.content, 'UTF8')), %1$s, %2$s
              from unnest($1) with ordinality as k (row_key, ordinality)
              left join lateral (select true, %3$s, %8$s from %4$s s where %5$s limit 1) as s (present, content, settled) on true
              left join lateral (select e.* from %6$s e where %7$s limit 1) as e on true;
        end
            $body$,
            v_sql.stored_hash, v_sql.stored_model, v_sql.content, v_sql.relation, evervec.key_match(p_source, 's', false),
            v_sql.target, evervec.key_match(p_source, 'e', true),
            v_settled.of_row),
        'set enable_seqscan = off set jit = off');
end
$$;

comment on function evervec.create_render_function(evervec.source) is
$$Internal. Creates or replaces render_<source>.$$;

revoke execute on function evervec.create_render_function(evervec.source) from public;
