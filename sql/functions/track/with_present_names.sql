-- with_present_names: a source whose table or columns were renamed, with the names that they have now.
--
-- Columns and templates follow a rename; SQL that a user wrote cannot be followed and fails to render until retrack corrects it.
-- Locks:  none.
create or replace function evervec.with_present_names(p_source evervec.source)
returns evervec.source
language plpgsql stable
set search_path from current
as $$
declare
    v_former text[] := p_source.watched_columns;
    v_now    text[] := evervec.attribute_names(p_source.relation, p_source.watched_attributes);
begin
    if cardinality(v_now) = cardinality(v_former) then
        p_source.columns := array(
            select coalesce(n.now, c.name)
              from unnest(p_source.columns) with ordinality as c (name, ordinality)
              left join unnest(v_former, v_now) as n (former, now) on n.former = c.name
             order by c.ordinality);
        if p_source.columns = '{}' then
            p_source.columns := null;
        end if;
        if p_source.template is not null then
            select string_agg(
                       coalesce(replace(replace(t.literal, '{', '{{'), '}', '}}'),
                                format('{%s%s}', coalesce(n.now, t.hole), '|' || t.fallback)), '' order by t.ordinal)
              into p_source.template
              from evervec.template_parts(p_source.template) t
              left join unnest(v_former, v_now) as n (former, now) on n.former = t.hole;
        end if;
        if p_source.retention ? 'column' then
            p_source.retention := p_source.retention || jsonb_build_object(
                'column', coalesce((select n.now from unnest(v_former, v_now) as n (former, now) where n.former = p_source.retention ->> 'column'),
                                   p_source.retention ->> 'column'));
        end if;
        p_source.watched_columns := v_now;
    end if;
    return evervec.with_return_columns(evervec.with_key(p_source), evervec.attribute_names(p_source.relation, p_source.return_attributes));
end
$$;

comment on function evervec.with_present_names(evervec.source) is
$$Internal. The source with present names of table, key, watched and returned columns, in its columns and template too.$$;

revoke execute on function evervec.with_present_names(evervec.source) from public;
