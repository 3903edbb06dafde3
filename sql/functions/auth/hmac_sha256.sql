-- hmac_sha256: HMAC-SHA256 (RFC 2104) of nothing but pg_catalog's sha256, so that no extension is needed.
--
-- Locks:  none.
create or replace function evervec.hmac_sha256(p_message bytea, p_key bytea)
returns bytea
language sql immutable strict parallel safe
set search_path from current
as $$
    with short as (
        select case when length(p_key) > 64 then sha256(p_key) else p_key end as key
    ), block as (
        select s.key || decode(repeat('00', 64 - length(s.key)), 'hex') as key from short s
    ), pad as (
        -- The block's bytes against 0x36 and against 0x5c.
        select string_agg(set_byte('\x00', 0, get_byte(b.key, i) # 54), '' order by i) as inner_pad,
               string_agg(set_byte('\x00', 0, get_byte(b.key, i) # 92), '' order by i) as outer_pad
          from block b
          cross join generate_series(0, 63) i
    )
    select sha256(p.outer_pad || sha256(p.inner_pad || p_message)) from pad p
$$;

comment on function evervec.hmac_sha256(bytea, bytea) is
$$Internal. HMAC-SHA256 of a message under a key of any length; 32 bytes.$$;

revoke execute on function evervec.hmac_sha256(bytea, bytea) from public;
