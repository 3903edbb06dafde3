-- find_tastes: which of a person's rows are of one taste: spherical k-means over the rows that are liked, for many persons at once.
--
-- Without chance: the first taste begins at the row nearest to the sum of all, each further one at the row farthest from those before.
-- Rows that are disliked belong to the taste that they are nearest to.
-- Locks:  none.
create or replace function evervec.find_tastes(
    p_source   evervec.source,
    p_persons  integer[],
    p_row_keys jsonb[],
    p_levels   integer[],
    p_tastes   integer
)
returns integer[]
language plpgsql stable
set search_path from current
as $$
declare
    v_sum      text := format('select array_agg(t.person) as persons, array_agg(t.taste) as tastes, array_agg(l2_normalize(t.total)) as totals '
                              'from evervec.%I($1, $2, $3, $4) t where vector_norm(t.total) > 0', 'taste_' || p_source.name);
    v_nearest  text := format('select array_agg(n.taste order by k.n) as tastes, array_agg(n.similarity order by k.n) as similarities '
                              'from unnest($1) with ordinality as k (person, n) left join evervec.%I($1, $2, $3, $4, $5) n on n.ordinal = k.n',
                              'taste_of_' || p_source.name);
    v_liked          record;
    v_seed           record;
    v_centre_persons integer[];
    v_centre_tastes  integer[];
    v_centre_totals  vector[];
    v_found_tastes   integer[];
    v_similarities   double precision[];
    v_persons        integer[] := array[]::integer[];
    v_tastes         integer[] := array[]::integer[];
    v_totals         vector[] := array[]::vector[];
    v_former         integer[];
begin
    select array_agg(k.person order by k.n) as persons, array_agg(k.row_key order by k.n) as row_keys, array_agg(k.level order by k.n) as levels
      into v_liked
      from unnest(p_persons, p_row_keys, p_levels) with ordinality as k (person, row_key, level, n)
     where k.level > 0;
    if v_liked.persons is null then
        return array_fill(1, array[cardinality(p_persons)]);
    end if;

    execute v_sum into v_centre_persons, v_centre_tastes, v_centre_totals
      using v_liked.persons, v_liked.row_keys, v_liked.levels, array_fill(1, array[cardinality(v_liked.persons)]);
    for v_taste in 1 .. p_tastes loop
        execute v_nearest into v_found_tastes, v_similarities
          using v_liked.persons, v_liked.row_keys, coalesce(v_centre_persons, '{}'), coalesce(v_centre_tastes, '{}'), coalesce(v_centre_totals, '{}');
        select array_agg(s.person) as persons, array_agg(s.row_key) as row_keys, array_agg(1) as levels, array_agg(v_taste) as tastes
          into v_seed
          from (select distinct on (k.person) k.person, k.row_key
                  from unnest(v_liked.persons, v_liked.row_keys, v_similarities) with ordinality as k (person, row_key, similarity, n)
                 where v_taste = 1 and k.similarity is not null or k.similarity < 0.999
                 order by k.person, case when v_taste = 1 then -k.similarity else k.similarity end, k.n) s;
        exit when v_seed.persons is null;
        execute v_sum into v_centre_persons, v_centre_tastes, v_centre_totals using v_seed.persons, v_seed.row_keys, v_seed.levels, v_seed.tastes;
        v_persons := v_persons || v_centre_persons;
        v_tastes := v_tastes || v_centre_tastes;
        v_totals := v_totals || v_centre_totals;
        v_centre_persons := v_persons;
        v_centre_tastes := v_tastes;
        v_centre_totals := v_totals;
    end loop;

    for v_round in 1 .. 10 loop
        execute v_nearest into v_found_tastes, v_similarities using v_liked.persons, v_liked.row_keys, v_persons, v_tastes, v_totals;
        exit when v_found_tastes = v_former;
        v_former := v_found_tastes;
        execute v_sum into v_centre_persons, v_centre_tastes, v_centre_totals using v_liked.persons, v_liked.row_keys, v_liked.levels, v_found_tastes;
        v_persons := coalesce(v_centre_persons, '{}');
        v_tastes := coalesce(v_centre_tastes, '{}');
        v_totals := coalesce(v_centre_totals, '{}');
    end loop;
    execute v_nearest into v_found_tastes, v_similarities using p_persons, p_row_keys, v_persons, v_tastes, v_totals;
    return array(select coalesce(t.taste, 1) from unnest(v_found_tastes) with ordinality as t (taste, n) order by t.n);
end
$$;

comment on function evervec.find_tastes(evervec.source, integer[], jsonb[], integer[], integer) is
$$Internal. For each row, given by person, row_key and level (see learn), which of its person's p_tastes tastes it belongs to.$$;

revoke execute on function evervec.find_tastes(evervec.source, integer[], jsonb[], integer[], integer) from public;
