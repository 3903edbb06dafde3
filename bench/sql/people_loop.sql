-- How one would learn what people like without evervec: a loop over what each did, that adds up vectors one by one. It knows
-- less than evervec: no ratings around the user's mean, no curve, no hash of what was learned from.
create table search.preference (user_id text primary key, embedding vector not null, strength real not null, n integer not null);
create function search.learn_all(p_from integer, p_to integer) returns integer
language plpgsql
as $$
declare
    v_user  text;
    v_row   record;
    v_sum   vector;
    v_total double precision;
    v_n     integer;
    v_done  integer := 0;
begin
    for v_user in select 'u' || g from generate_series(p_from, p_to) g loop
        v_sum := null;
        v_total := 0;
        v_n := 0;
        for v_row in
            select e.embedding,
                   t.weight * coalesce((i.value - 3) / 2, 1) * power(0.5, extract(epoch from now() - i.occurred_at) / 2592000)::float8 as weight
              from evervec.interaction i
              join evervec.interaction_type t on t.name = i.type
              join search.item_embedding e on e.id = (i.row_key ->> 'id')::bigint
             where i.user_id = v_user
               and i.source_id = (select source_id from evervec.source where name = 'item')
               and i.occurred_at > now() - interval '90 days'
        loop
            v_sum := coalesce(v_sum + v_row.embedding * array_fill(v_row.weight, array[{dimensions}])::vector,
                              v_row.embedding * array_fill(v_row.weight, array[{dimensions}])::vector);
            v_total := v_total + abs(v_row.weight);
            v_n := v_n + 1;
        end loop;
        if v_n > 0 and v_total > 0 then
            insert into search.preference
            values (v_user, l2_normalize(v_sum), (2.5 + v_n * vector_norm(v_sum) / v_total) / (5 + v_n), v_n)
            on conflict (user_id) do update set embedding = excluded.embedding, strength = excluded.strength, n = excluded.n;
            v_done := v_done + 1;
        end if;
    end loop;
    return v_done;
end
$$;
