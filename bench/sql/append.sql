-- The floor of a log: a row trigger that appends one row with the key, and nothing else.
create table {schema}.log (logged_at timestamptz not null default now(), source_id integer not null, row_key jsonb);
create function {schema}.append() returns trigger
language plpgsql
as $$
begin
    insert into {schema}.log (source_id, row_key) values (1, jsonb_build_object('id', new.id));
    return null;
end
$$;
create trigger append after insert on {schema}.doc for each row execute function {schema}.append();
