-- with_recipe: a source with its recipe compiled and the columns whose changes count.
--
-- Locks:  those of analyse_sql.
-- Raises: VE103, VE104, VE110 as compile_recipe and with_retention · VE104 a manual source with a recipe
create or replace function evervec.with_recipe(p_source evervec.source)
returns evervec.source
language plpgsql
set search_path from current
as $$
declare
    v_recipe record;
    v_alien  text;
begin
    if p_source.storage = 'manual' then
        if num_nonnulls(p_source.columns, p_source.template, p_source.text_sql, p_source.condition) > 0 or p_source.depends_on <> '{}' then
            raise exception using
                errcode = 'VE104', message = 'a manual source has no recipe',
                detail  = 'With p_storage ''manual'' the application brings the vectors; evervec renders no text.',
                hint    = 'Leave out p_columns, p_template, p_text_sql, p_where and p_depends_on.';
        end if;
        p_source.text_expression := 'null::text';
        p_source.watched_columns := '{}';
    else
        select * into v_recipe
          from evervec.compile_recipe(p_source.relation, p_source.columns, p_source.template, p_source.text_sql, p_source.condition);
        p_source.text_expression := v_recipe.text_expression;
        -- A row that is not settled any more has to be noticed, too.
        p_source.watched_columns := array(
            select distinct w from unnest(v_recipe.watched || evervec.retention_columns(p_source)) w order by w);
        select string_agg(t.relation::text, ', ') into v_alien
          from unnest(v_recipe.tables) as t (relation)
         where t.relation not in (select to_regclass(d.name) from jsonb_object_keys(p_source.depends_on) as d (name)
                                   where to_regclass(d.name) is not null);
        if v_alien is not null then
            raise notice using
                message = format('the text of "%s" reads %s, whose changes will not be noticed', p_source.name, v_alien),
                hint    = 'Name it in p_depends_on.';
        end if;
    end if;
    p_source.watched_attributes := evervec.attribute_numbers(p_source.relation, p_source.watched_columns);
    return p_source;
end
$$;

comment on function evervec.with_recipe(evervec.source) is
$$Internal. The source with text_expression and watched columns set. Raises VE103, VE104, VE110; a NOTICE names tables that p_depends_on forgets.$$;

revoke execute on function evervec.with_recipe(evervec.source) from public;
