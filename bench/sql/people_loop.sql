-- How one would learn what people like without evervec, by the same formulas (docs/people.md), weighting evervec: for each user a loop over
-- the rows, that adds up their vectors one by one. pgvector cannot multiply a vector by a number, hence array_fill.
create table search.preference (user_id text primary key, embedding vector not null, strength real not null, n integer not null, liked jsonb[] not null);
create function search.learn_all(p_from integer, p_to integer) returns integer
language plpgsql
as $$
declare
    v_source integer := (select source_id from evervec.source where name = 'item');
    v_centre vector := (select avg(l2_normalize(embedding)) from (select embedding from search.item_embedding limit 10000) e);
    v_user   text;
    v_row    record;
    v_mean   double precision;
    v_sum    vector;
    v_all    double precision;
    v_total  double precision;
    v_n      integer;
    v_liked  jsonb[];
    v_done   integer := 0;
begin
    for v_user in select 'u' || g from generate_series(p_from, p_to) g loop
        v_sum := null;
        v_all := 0;
        v_total := 0;
        v_n := 0;
        v_liked := '{{}}';
        select (coalesce(sum(r.value), 0) + 3) / (count(r.value) + 1)
          into v_mean
          from (select distinct on (i.row_key) i.value
                  from evervec.interaction i
                 where i.user_id = v_user and i.source_id = v_source and i.type = 'rating' and i.occurred_at > now() - interval '90 days'
                 order by i.row_key, i.occurred_at desc) r;
        for v_row in
            select w.row_key, w.weight, l2_normalize(e.embedding) as embedding
              from (
                select c.row_key, sum(c.weight) as weight
                  from (
                    select t.row_key, t.weight * t.times / (t.times + 3) as weight
                      from (
                        select i.row_key, k.weight, sum(power(0.5, extract(epoch from now() - i.occurred_at) / 2592000.0)::float8) as times
                          from evervec.interaction i
                          join evervec.interaction_type k on k.name = i.type
                         where i.user_id = v_user and i.source_id = v_source and i.occurred_at > now() - interval '90 days' and not k.rated
                         group by i.row_key, k.name, k.weight) t
                    union all
                    (select distinct on (i.row_key) i.row_key,
                            k.weight * power(0.5, extract(epoch from now() - i.occurred_at) / 2592000.0)::float8 * (0.5 + (i.value - v_mean) / 2)
                       from evervec.interaction i
                       join evervec.interaction_type k on k.name = i.type
                      where i.user_id = v_user and i.source_id = v_source and i.occurred_at > now() - interval '90 days' and k.rated
                      order by i.row_key, i.occurred_at desc)) c
                 group by c.row_key) w
              join search.item_embedding e on e.id = (w.row_key ->> 'id')::bigint
             order by w.weight desc
        loop
            v_sum := coalesce(v_sum + v_row.embedding * array_fill(v_row.weight, array[{dimensions}])::vector,
                              v_row.embedding * array_fill(v_row.weight, array[{dimensions}])::vector);
            v_all := v_all + v_row.weight;
            v_total := v_total + abs(v_row.weight);
            v_n := v_n + 1;
            if v_row.weight > 0 and v_n <= 50 then
                v_liked := v_liked || v_row.row_key;
            end if;
        end loop;
        if v_total > 0 then
            insert into search.preference
            values (v_user, l2_normalize(v_sum - v_centre * array_fill(v_all, array[{dimensions}])::vector),
                    (2.5 + v_n * vector_norm(v_sum) / v_total) / (5 + v_n), v_n, v_liked)
            on conflict (user_id) do update
               set embedding = excluded.embedding, strength = excluded.strength, n = excluded.n, liked = excluded.liked;
            v_done := v_done + 1;
        end if;
    end loop;
    return v_done;
end
$$;
