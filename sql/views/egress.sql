-- egress: which columns of which tables go to which provider.
--
-- Present names, also of what was renamed since. A recipe in SQL may do anything with what it reads: the columns that it, or p_where, reads
-- are listed, and those of other tables that p_depends_on watches (every column where it names none). Manual sources send nothing.
-- needs: functions/track/template_parts.sql
create or replace view evervec.egress as
select s.name as source,
       c.relation::text as relation,
       a.attname::text as column_name,
       m.name as model,
       m.provider,
       s.storage,
       m.provider not in ('local', 'minilm') as leaves
  from evervec.source s
  join evervec.model m using (model_id)
  cross join lateral (
    select s.relation, w.attnum
      from unnest(s.watched_columns, s.watched_attributes) as w (name, attnum)
     where s.text_sql is not null
        or w.name = any(s.columns)
        or w.name in (select t.hole from evervec.template_parts(s.template) t)
    union
    select d.relation, n.attnum
      from evervec.dependency d
      join pg_attribute n on d.relation = n.attrelid and n.attname = any(d.watched)
     where d.source_id = s.source_id
  ) c (relation, attnum)
  join pg_attribute a on c.relation = a.attrelid and c.attnum = a.attnum and not a.attisdropped
 where s.storage <> 'manual'
 order by s.name, c.relation <> s.relation, c.relation::text, a.attnum;

comment on view evervec.egress is
$$One row a column whose values are sent to a provider, or may be: those in p_columns or p_template; of a recipe in SQL those that it and p_where read, and those of other tables that p_depends_on watches. Manual sources have none. Words of searches go to the model's provider, too.$$;
comment on column evervec.egress.relation is $$The source's table, or another one that its recipe reads.$$;
comment on column evervec.egress.provider is $$Who computes the vectors; the worker's environment says where that is (evervec egress).$$;
comment on column evervec.egress.storage is $$Where the vectors are: table, or column (of the source's own table).$$;
comment on column evervec.egress.leaves is $$Whether it leaves the worker's machine: false for provider local alone.$$;
