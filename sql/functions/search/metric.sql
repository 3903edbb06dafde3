-- metric: what belongs to a distance: pgvector's operator and operator class, and how similarity is read off it.
--
-- Locks:  none.
create or replace function evervec.metric(
    p_distance         text,
    out operator       text,
    out operator_class text,
    out similarity     text
)
language sql stable
set search_path from current
as $$
    select format(m.operator, n.nspname), m.operator_class, m.similarity
      from (values
        ('cosine',        'operator(%1$I.<=>)', 'vector_cosine_ops', '1 - %s'),
        ('l2',            'operator(%1$I.<->)', 'vector_l2_ops',     '1 / (1 + %s)'),
        ('inner_product', 'operator(%1$I.<#>)', 'vector_ip_ops',     '-(%s)'),
        ('l1',            'operator(%1$I.<+>)', 'vector_l1_ops',     '1 / (1 + %s)')
      ) as m (distance, operator, operator_class, similarity)
      join pg_extension x on x.extname = 'vector'
      join pg_namespace n on n.oid = x.extnamespace
     where m.distance = p_distance
$$;

comment on function evervec.metric(text) is
$$Internal. Operator, operator class and similarity expression (%s is the distance) of cosine, l2, inner_product or l1.$$;

revoke execute on function evervec.metric(text) from public;
