-- random_key: a secret that nobody can guess, as 64 hexadecimal digits.
--
-- Two random UUIDs: 244 bits of the server's strong randomness, without pgcrypto.
-- Locks:  none.
create or replace function evervec.random_key()
returns text
language sql volatile
set search_path from current
as $$
    select replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')
$$;

comment on function evervec.random_key() is
$$Internal. 64 hexadecimal digits with 244 random bits.$$;

revoke execute on function evervec.random_key() from public;
