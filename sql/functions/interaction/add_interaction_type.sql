-- add_interaction_type: something that people do with rows, and what it says about their liking.
--
-- Locks:  a row of evervec.interaction_type.
-- Raises: VE111 unknown mark · VE504 no name, or no weight
create or replace function evervec.add_interaction_type(
    p_name   text,
    p_weight double precision,
    p_marks  text default null,
    p_rated  boolean default false
)
returns void
language plpgsql security definer
set search_path from current
as $$
begin
    if p_marks is not null then
        perform evervec.check_option('p_marks', p_marks, array['has', 'dismissed']);
    end if;
    if p_name is null or p_name !~ '\S' or octet_length(p_name) > 63 or p_weight is null or not abs(p_weight) <= 1e9 or p_rated is null then
        raise exception using
            errcode = 'VE504',
            message = format('%s with weight %s is no type of interaction', coalesce(quote_literal(p_name), 'NULL'), coalesce(p_weight::text, 'NULL')),
            detail  = 'A type has a name of 1 to 63 bytes and a weight, a number of at most a billion either way.',
            hint    = 'For example: SELECT evervec.add_interaction_type(''share'', 0.8); a negative weight shows a dislike.';
    end if;
    insert into evervec.interaction_type as t (name, weight, marks, rated)
    values (p_name, p_weight, p_marks, p_rated)
    on conflict (name) do update
       set weight = excluded.weight, marks = excluded.marks, rated = excluded.rated
     where (t.weight, t.marks, t.rated) is distinct from (excluded.weight, excluded.marks, excluded.rated);
end
$$;

comment on function evervec.add_interaction_type(text, double precision, text, boolean) is
$$Adds a type of interaction, or changes it; may be repeated. There are view, rating, favorite, search, purchase_intent, purchase and dismiss. p_weight: how much of a liking one shows, against the 1.0 of a favorite; negative: of a dislike. p_marks: has (the row is the user's then) or dismissed, and is not recommended any more; NULL (default): neither. p_rated: its value is a rating (default false). Raises VE111, VE504.$$;

revoke execute on function evervec.add_interaction_type(text, double precision, text, boolean) from public;
