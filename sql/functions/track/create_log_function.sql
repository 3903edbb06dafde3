-- create_log_function: one trigger function: appends to the log, and before that, if it is told to, removes vectors.
--
-- A column of the user's may bear the name of a variable, such as tg_op: the column is meant.
-- Where somebody dropped the embedding table with CASCADE, and our view with it, the writer goes on.
-- A writer under REPEATABLE READ or SERIALIZABLE only logs: removing a vector could give it a serialization failure.
-- Locks:  none that matter: replacing a function locks no table.
create or replace function evervec.create_log_function(
    p_source   evervec.source,
    p_function text,
    p_changes  text,
    p_vanished text default null,
    p_pinned   boolean default false
)
returns void
language plpgsql
set search_path from current
as $$
begin
    execute format(
        $sql$
        create or replace function evervec.%1$I() returns trigger
        language plpgsql security definer
        set search_path from current %2$s
        as $body$
        #variable_conflict use_column
        begin
            %3$s
            insert into evervec.change_log (source_id, operation, row_key) %4$s;
            return null;
        end
        $body$
        $sql$,
        p_function,
        case when p_pinned then evervec.pinned_settings() else '' end,
        case when p_vanished is not null then format(
            $sql$if current_setting('transaction_isolation') not in ('repeatable read', 'serializable')
               and to_regclass(%L) is not null then
                delete from evervec.%I e %s;
            end if;$sql$, format('evervec.%I', 'vector_' || p_source.name), 'vector_' || p_source.name, p_vanished) end,
        p_changes);
    execute format('revoke execute on function evervec.%I() from public', p_function);
end
$$;

comment on function evervec.create_log_function(evervec.source, text, text, text, boolean) is
$$Internal. Creates or replaces a trigger function. p_changes: query for (source_id, operation, row_key); p_vanished: rest of a DELETE on the vectors e; p_pinned: under pinned settings.$$;

revoke execute on function evervec.create_log_function(evervec.source, text, text, text, boolean) from public;
