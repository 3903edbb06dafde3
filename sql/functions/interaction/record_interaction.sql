-- record_interaction: one thing that a user did.
--
-- Locks:  as keep_interactions: a key, and a mark, that another transaction is writing.
-- Raises: VE101 unknown source · VE202, VE303 bad row_key · VE501, VE502 bad user · VE503 unknown type · VE504 otherwise no interaction
create or replace function evervec.record_interaction(
    p_user    text,
    p_source  text,
    p_row_key jsonb,
    p_type    text,
    p_value   double precision default null,
    p_context jsonb default '{}',
    p_key     text default null,
    p_at      timestamptz default now()
)
returns bigint
language plpgsql security definer
set search_path from current
as $$
begin
    return (select k.ids[1]
              from evervec.keep_interactions(jsonb_build_array(jsonb_build_object(
                       'user', p_user, 'source', p_source, 'row_key', p_row_key, 'type', p_type,
                       'value', p_value, 'context', p_context, 'key', p_key, 'at', p_at))) k);
end
$$;

comment on function evervec.record_interaction(text, text, jsonb, text, double precision, jsonb, text, timestamptz) is
$$Records what a user did, and returns the interaction's id. p_user: the one whom the session speaks for (current_user_id), or anybody for workers and admins. p_row_key: the row, which need not exist; NULL where none is concerned, as in a search. p_type: as view, or one of add_interaction_type. p_value: a number, the rating of a rating. p_context: a JSON object of 8 kB at most (default {}). p_key: of 1 to 200 bytes; with a key that was seen of this user before nothing is recorded, and the id of then returned (NULL, the default: always recorded). p_at: when it was (default now), not longer ago than interactions are kept (interaction_keep, 1 year), and at most a day ahead. Raises VE101, VE202, VE303, VE501, VE502, VE503, VE504.$$;

revoke execute on function evervec.record_interaction(text, text, jsonb, text, double precision, jsonb, text, timestamptz) from public;
