-- embed_by_service: asks the webhook for the vector of the words of a search, where configure_push has allowed it.
--
-- The exception to the rule that no transaction is open while the network is: opted in, for searches only, which lock nothing. Writes
-- nothing, so that it works on a standby; the webhook keeps the vector for the next time.
-- Locks:  none.
-- Raises: VE424 the webhook gives no vector
-- needs: functions/auth/secret_values.sql
-- needs: functions/push/post_json.sql
create or replace function evervec.embed_by_service(p_model text, p_text text)
returns vector
language plpgsql
set search_path from current
as $$
declare
    v_url    text := (select p.url || '/v1/embed' from evervec.push p);
    v_answer record;
    v_vector vector;
    v_told   text;
begin
    begin
        select * into v_answer
          from evervec.post_json(
            v_url,
            jsonb_build_object('Authorization', 'Bearer ' || (select s.value from evervec.secret_values('search') as s (value) limit 1)),
            jsonb_build_object('model', p_model, 'texts', array[p_text])::text,
            '5 seconds');
        if v_answer.status = 200 then
            v_vector := (v_answer.content::jsonb #> '{vectors,0}')::text::vector;
        end if;
        v_told := format('it answered %s: %s', v_answer.status, left(v_answer.content, 500));
    exception when others then
        v_told := sqlerrm;
    end;
    if v_vector is null then
        raise exception using
            errcode = 'VE424',
            message = format('the webhook gives no vector of these words by model "%s"', p_model),
            detail  = format('%s: %s.', v_url, rtrim(v_told, '.')),
            hint    = 'Is the webhook running (evervec serve), and has it the provider''s key? Search again then, or by "evervec search", which asks the provider itself.';
    end if;
    return v_vector;
end
$$;

comment on function evervec.embed_by_service(text, text) is
$$Internal. The vector of words by the webhook, within 5 seconds. Raises VE424.$$;

revoke execute on function evervec.embed_by_service(text, text) from public;
