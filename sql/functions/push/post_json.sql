-- post_json: one POST of JSON by pgsql-http, with a limit of time that is put back afterwards.
--
-- Waits for the answer, so never from a transaction that somebody else may wait for.
-- Locks:  none.
-- needs: functions/push/pgsql_http.sql
create or replace function evervec.post_json(
    p_url       text,
    p_headers   jsonb,
    p_body      text,
    p_timeout   interval,
    out status  integer,
    out content text
)
language plpgsql
set search_path from current
as $$
declare
    c_setting constant text := 'http.timeout_msec';
    v_schema  name := (select n.nspname from pg_proc p join pg_namespace n on n.oid = p.pronamespace where p.oid = evervec.pgsql_http());
    v_former  text;
begin
    -- The library defines the setting when it is loaded: by its first call.
    execute format('select %I.urlencode(''''::varchar)', v_schema);
    v_former := coalesce(nullif(current_setting(c_setting, true), ''), '5000');
    perform set_config(c_setting, (extract(epoch from p_timeout) * 1000)::integer::text, true);
    execute format('select r.status, r.content'
                   '  from %1$I.http((''POST'', $1, array(select (h.key, h.value)::%1$I.http_header from jsonb_each_text($2) h),'
                   '                  ''application/json'', $3)::%1$I.http_request) r', v_schema)
       into status, content
      using p_url, p_headers, p_body;
    perform set_config(c_setting, v_former, true);
end
$$;

comment on function evervec.post_json(text, jsonb, text, interval) is
$$Internal. Sends a body of JSON and waits for the answer, p_timeout at most; an error of pgsql-http where none comes.$$;

revoke execute on function evervec.post_json(text, jsonb, text, interval) from public;
