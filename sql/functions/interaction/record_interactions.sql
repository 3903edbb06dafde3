-- record_interactions: many interactions at once, or none of them.
--
-- Which one is to blame is found by trying halves, after they were refused together; what the tries record goes with the error.
-- Locks:  as keep_interactions.
-- Raises: VE504 no array, too many, or one that cannot be recorded · VE101, VE202, VE303, VE501, VE502, VE503 as record_interaction
-- needs: functions/interaction/keep_interactions.sql
create or replace function evervec.record_interactions(p_interactions jsonb)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    c_members constant text[] := array['user', 'source', 'row_key', 'type', 'value', 'context', 'key', 'at'];
    v_problem text;
    v_first   integer := 0;
    v_middle  integer;
    v_last    integer;
    v_state   text;
    v_message text;
    v_detail  text;
    v_hint    text;
begin
    if jsonb_typeof(p_interactions) is distinct from 'array' then
        v_problem := 'It is no JSON array.';
    elsif jsonb_array_length(p_interactions) > 10000 then
        v_problem := format('There are %s; 10000 are the most of a call.', jsonb_array_length(p_interactions));
    else
        select format('Element %s %s.', i.n, case when jsonb_typeof(i.e) <> 'object' then 'is no JSON object'
                                                  else format('has a member %I; those known are %s', m.name, array_to_string(c_members, ', ')) end)
          into v_problem
          from jsonb_array_elements(p_interactions) with ordinality as i (e, n)
          left join lateral (
            select k.name from jsonb_object_keys(case when jsonb_typeof(i.e) = 'object' then i.e else '{}' end) as k (name)
             where k.name <> all (c_members)
             limit 1) m on true
         where jsonb_typeof(i.e) <> 'object' or m.name is not null
         order by i.n
         limit 1;
    end if;
    if v_problem is not null then
        raise exception using
            errcode = 'VE504', message = 'these are no interactions', detail = v_problem,
            hint    = 'For example: [{"user": "ada", "source": "film", "row_key": {"id": 1}, "type": "rating", "value": 4.5}]';
    end if;
    begin
        return (select k.recorded from evervec.keep_interactions(p_interactions) k);
    exception when others then
        -- A conflict with another transaction is nobody's fault.
        if sqlstate !~ '^(VE|2)' then
            raise;
        end if;
    end;
    v_last := jsonb_array_length(p_interactions) - 1;
    while v_first <= v_last loop
        v_middle := (v_first + v_last) / 2;
        begin
            perform evervec.keep_interactions(jsonb_path_query_array(p_interactions, format('$[%s to %s]', v_first, v_middle)::jsonpath));
            v_first := v_middle + 1;
        exception when others then
            if v_middle > v_first then
                v_last := v_middle;
                continue;
            end if;
            get stacked diagnostics v_state = returned_sqlstate, v_message = message_text, v_detail = pg_exception_detail, v_hint = pg_exception_hint;
            raise exception using
                errcode = case when v_state like 'VE%' then v_state else 'VE504' end,
                message = v_message,
                detail  = format('Element %s of %s. %s', v_first + 1, jsonb_array_length(p_interactions), v_detail),
                hint    = coalesce(nullif(v_hint, ''), 'Nothing was recorded. Correct that element, and send all again.');
        end;
    end loop;
    raise exception using
        errcode = 'serialization_failure', message = 'what interactions were refused for has changed meanwhile',
        detail  = 'Together they were refused; in parts they are not.', hint = 'Send them again.';
end
$$;

comment on function evervec.record_interactions(jsonb) is
$$Records many interactions at once, and returns how many are new (those whose key was seen before are not). p_interactions: a JSON array of at most 10000 objects with the members user, source, row_key, type, value, context, key and at, as the parameters of record_interaction. One that is refused refuses all; the DETAIL has its place, from 1. Raises VE101, VE202, VE303, VE501, VE502, VE503, VE504.$$;

revoke execute on function evervec.record_interactions(jsonb) from public;
