-- The floor: a trigger that does nothing. What it costs, every trigger costs.
create function {schema}.nothing() returns trigger
language plpgsql
as $$
begin
    return null;
end
$$;
create trigger nothing after insert on {schema}.doc for each statement execute function {schema}.nothing();
