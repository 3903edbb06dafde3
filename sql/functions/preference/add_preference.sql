-- add_preference: a kind of preference among the rows of a source, or other rules for one that there is.
--
-- Locks:  the row of evervec.preference.
-- Raises: VE101 unknown source · VE510 unknown weighting · VE511 no name · VE512 a signal or type that does not exist, or not 1 to 20 tastes
create or replace function evervec.add_preference(
    p_source    text,
    p_name      text,
    p_weighting text default 'evervec',
    p_signals   text[] default null,
    p_types     text[] default null,
    p_tastes    integer default 1
)
returns boolean
language plpgsql security definer
set search_path from current
as $$
declare
    v_source  evervec.source := evervec.source_named(p_source);
    v_unknown text;
    v_new     boolean;
begin
    if p_name is null or p_name !~ '\S' or octet_length(p_name) > 200 then
        raise exception using
            errcode = 'VE511',
            message = format('%s is no name for a kind of preference', coalesce(quote_literal(left(p_name, 50)), 'NULL')),
            detail  = 'A name has 1 to 200 bytes, not all of them blanks.',
            hint    = 'default is the kind that is meant where none is named.';
    elsif not exists (select from evervec.weighting w where w.name = p_weighting) then
        raise exception using
            errcode = 'VE510',
            message = format('weighting %s does not exist', coalesce(quote_literal(p_weighting), 'NULL')),
            detail  = format('There are: %s.', (select string_agg(w.name, ', ' order by w.name) from evervec.weighting w)),
            hint    = 'A row in evervec.weighting makes another one.';
    elsif p_tastes is null or p_tastes not between 1 and 20 then
        raise exception using
            errcode = 'VE512',
            message = format('nobody can be given %s tastes', coalesce(p_tastes::text, 'NULL')),
            detail  = 'p_tastes is a number from 1 to 20.',
            hint    = 'Leave it out for 1; 3 to 5 suit those who like several things that are unlike each other.';
    end if;
    select coalesce((select format('signal %L of source "%s"', s.name, p_source)
                       from unnest(p_signals) as s (name)
                      where not exists (select from evervec.signal g where g.source_id = v_source.source_id and g.name = s.name) limit 1),
                    (select format('interaction type %L', t.name)
                       from unnest(p_types) as t (name)
                      where not exists (select from evervec.interaction_type i where i.name = t.name) limit 1))
      into v_unknown;
    if v_unknown is not null then
        raise exception using
            errcode = 'VE512',
            message = format('%s does not exist', v_unknown),
            detail  = format('Signals of the source: %s. Types: %s.',
                             coalesce((select string_agg(s.name, ', ' order by s.name) from evervec.signal s where s.source_id = v_source.source_id), 'none'),
                             (select string_agg(t.name, ', ' order by t.name) from evervec.interaction_type t)),
            hint    = 'Add it first (add_signal, add_interaction_type), or leave p_signals and p_types NULL, so that all count.';
    end if;
    insert into evervec.preference as p (source_id, name, weighting, signals, types, tastes)
    values (v_source.source_id, p_name, p_weighting, p_signals, p_types, p_tastes)
    on conflict (source_id, name) do update
       set weighting = excluded.weighting, signals = excluded.signals, types = excluded.types, tastes = excluded.tastes
    returning xmax = 0 into v_new;
    return v_new;
end
$$;

comment on function evervec.add_preference(text, text, text, text[], text[], integer) is
$$Adds a kind of preference to a source, or gives one other rules; true when it is new. p_name: default is the kind that recommend means when none is named, and needs not be added. p_weighting: how ratings, frequencies and counts become weights: evervec (the default: ratings around the user's own mean, a half-life of 30 days) or collection (ratings of 5, frequency of use, counts within 90 days), or another row of evervec.weighting. p_signals, p_types: which signals and types of interactions count; NULL, the default: all. p_tastes: 1 (the default) sums up all that a user likes; with more, up to 20, rows that are unlike each other make tastes of their own, and recommendations cover each. It shows in what users are recommended when their preferences are next made anew. Raises VE101, VE510, VE511, VE512.$$;

revoke execute on function evervec.add_preference(text, text, text, text[], text[], integer) from public;
