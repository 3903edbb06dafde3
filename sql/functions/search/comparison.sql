-- comparison: how the vectors of a source are compared with a query vector: exactly, and as an index of a given precision orders them.
--
-- The index of precision full, or half where the vectors are stored as halfvec, orders by the distance itself. Others know an image of each
-- vector: of half as many bytes, or the signs of its members alone. There an index gives so many times more rows than are wanted (pool), whose
-- distances are then computed from the vectors themselves. All names are qualified, because bodies of text are made of these pieces.
--
-- p_vector, p_query: SQL of the row's vector, and of the query vector, which is of type vector, or of that of the column
-- Locks:  none.
-- needs: functions/search/metric.sql
create or replace function evervec.comparison(
    p_source           evervec.source,
    p_precision        text,
    p_vector           text,
    p_query            text,
    out distance       text,
    out ordering       text,
    out indexed        text,
    out operator_class text,
    out similarity     text,
    out pool           integer
)
language sql stable
set search_path from current
as $$
    select format('%s %s %s', p_vector, x.operator, q.query),
           case when i.image is null then format('%s %s %s', p_vector, x.operator, q.query)
                else format('(%s) %s (%s)', format(i.image, p_vector), i.operator, format(i.image, p_query)) end,
           case when i.image is null then p_vector else '(' || format(i.image, p_vector) || ')' end,
           case p_precision when 'bit' then 'bit_hamming_ops' when 'half' then replace(x.operator_class, 'vector', 'halfvec') else x.operator_class end,
           x.similarity,
           case when p_precision = 'bit' then coalesce((p_source.index_options ->> 'rerank')::integer, 20) else 1 end
      from evervec.metric(p_source.distance) x
      join pg_extension e on e.extname = 'vector'
      join pg_namespace n on n.oid = e.extnamespace
      join evervec.model m on m.model_id = p_source.model_id
      cross join lateral (select case when p_source.vector_type = 'vector' then p_query
                                      else format('%s::%I.halfvec(%s)', p_query, n.nspname, m.dimensions) end as query) q
      cross join lateral (
        select case when p_precision = 'bit' then format('%I.binary_quantize(%%s)::bit(%s)', n.nspname, m.dimensions)
                    when p_precision = 'half' and p_source.vector_type = 'vector' then format('%%s::%I.halfvec(%s)', n.nspname, m.dimensions) end as image,
               case when p_precision = 'bit' then format('operator(%I.<~>)', n.nspname) else x.operator end as operator) i
$$;

comment on function evervec.comparison(evervec.source, text, text, text) is
$$Internal. SQL of the exact distance of p_vector to p_query, of what an index of that precision orders by, and of what it indexes with which operator class; the similarity (%s is the distance); pool: how many times more rows than wanted the index is asked for.$$;

revoke execute on function evervec.comparison(evervec.source, text, text, text) from public;
