-- diversify: chooses rows that are like the query and unlike each other (maximal marginal relevance).
--
-- The first is the most relevant; each next one has the most of (1 − p_diversity) × its similarity to the query − p_diversity ×
-- its similarity to the nearest of those chosen. Work and time grow with p_limit × the number of candidates.
-- Locks:  none.
create or replace function evervec.diversify(
    p_embeddings vector[],
    p_similarity real[],
    p_distance   text,
    p_limit      integer,
    p_diversity  real
)
returns integer[]
language plpgsql immutable
set search_path from current
as $$
declare
    v_candidates integer := coalesce(cardinality(p_similarity), 0);
    v_closest    real[] := array_fill('-Infinity'::real, array[v_candidates]);
    v_chosen     integer[] := array[]::integer[];
    v_next       integer;
    v_vector     vector;
begin
    for v_place in 1 .. least(p_limit, v_candidates) loop
        select c.place
          into v_next
          from unnest(p_similarity, v_closest) with ordinality as c (similarity, closest, place)
         where c.place <> all (v_chosen)
         order by case when v_place = 1 then c.similarity
                       else (1 - p_diversity) * c.similarity - p_diversity * c.closest end desc, c.place
         limit 1;
        v_chosen := v_chosen || v_next;
        v_vector := p_embeddings[v_next];
        v_closest := array(
            select greatest(c.closest, case p_distance when 'cosine' then 1 - (c.embedding <=> v_vector)
                                                       when 'inner_product' then -(c.embedding <#> v_vector)
                                                       when 'l2' then 1 / (1 + (c.embedding <-> v_vector))
                                                       when 'l1' then 1 / (1 + (c.embedding <+> v_vector)) end)::real
              from unnest(p_embeddings, v_closest) with ordinality as c (embedding, closest, place)
             order by c.place);
    end loop;
    return v_chosen;
end
$$;

comment on function evervec.diversify(vector[], real[], text, integer, real) is
$$Internal. Positions of the candidates that are chosen, in their order; p_similarity: that of each to the query.$$;

revoke execute on function evervec.diversify(vector[], real[], text, integer, real) from public;
