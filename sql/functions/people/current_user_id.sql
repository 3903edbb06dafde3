-- current_user_id: which user of the application the session speaks for; NULL: none is known.
--
-- Claims come first: PostgREST and Supabase set them from a token that they have checked, and whoever talks to those cannot set anything.
-- A role that may run any SQL can set claims as well as evervec.user_id: this tells well-meaning users apart, not attackers from each other.
-- Locks:  none.
create or replace function evervec.current_user_id()
returns text
language plpgsql stable
set search_path from current
as $$
declare
    v_claims text := nullif(current_setting('request.jwt.claims', true), '');
    v_user   text;
begin
    if v_claims is not null then
        begin
            v_user := v_claims::jsonb ->> 'sub';
        exception when data_exception then
            return null;
        end;
    end if;
    return coalesce(nullif(v_user, ''), nullif(current_setting('request.jwt.claim.sub', true), ''),
                    nullif(current_setting('evervec.user_id', true), ''));
end
$$;

comment on function evervec.current_user_id() is
$$The user of the application that the session speaks for: the claim sub that PostgREST and Supabase set, or else evervec.user_id (SET LOCAL evervec.user_id = '…'). NULL: nobody is named, or the claims are no JSON. A role that may run any SQL can name whom it likes.$$;

revoke execute on function evervec.current_user_id() from public;
