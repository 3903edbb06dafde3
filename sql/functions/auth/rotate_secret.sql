-- rotate_secret: a new secret for the signatures of rings; the first call makes the first one.
--
-- Locks:  evervec.secret against others who rotate; rings are signed and checked meanwhile.
-- Raises: VE111 an overlap that is NULL, negative or longer than a day
-- needs: functions/auth/keep_secret.sql
create or replace function evervec.rotate_secret(p_overlap interval default '10 minutes')
returns void
language plpgsql
set search_path from current
as $$
begin
    if p_overlap is null or p_overlap not between '0' and '1 day' then
        raise exception using
            errcode = 'VE111',
            message = 'the former secret must be good for some time, or not at all',
            detail  = format('p_overlap is %s.', coalesce(p_overlap::text, 'NULL')),
            hint    = 'From 0 (the former one has leaked) to 1 day; rings on their way are good for 5 minutes.';
    end if;
    perform evervec.keep_secret('ring', evervec.random_key(), p_overlap);
end
$$;

comment on function evervec.rotate_secret(interval) is
$$Makes a new secret for the signatures of rings, which nobody is shown. p_overlap: how long the former one is good, too, default 10 minutes, so that no ring on its way is refused; 0 when it has leaked. Raises VE111.$$;

revoke execute on function evervec.rotate_secret(interval) from public;
