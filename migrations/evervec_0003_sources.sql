--
-- The model that comes with evervec, and who sees what is kept of people. Its rollback, the first to run on the way down, is the guard of everybody's vectors.
--
-- depends: evervec_0002_functions

insert into evervec.model (name, provider, provider_model, dimensions, input_limit, batch_texts)
values ('local', 'local', 'universal-sentence-encoder-multilingual-v3', 512, 8191, 100);

do $$
begin
    perform evervec.confine_to_user(c.relation)
       from pg_catalog.unnest(array['evervec.interaction', 'evervec.interaction_key', 'evervec.row_mark', 'evervec.user_preference',
                                    'evervec.recommendation_cache', 'evervec.analysis_cache', 'evervec.leaver']::regclass[]) as c (relation);
end
$$;

-- A trend tells of no person, but of a row.
alter table evervec.trend enable row level security;
create policy seen_rows on evervec.trend
 using ((select evervec.open_sources())::integer[] @> array[source_id] or (select evervec.acts_for_all()) or evervec.sees_row(source_id, row_key));

insert into evervec.schema_version (migration_id, checksum)
values ('evervec_0003_sources', '354b9bda6aa39ffa47d4bdedc8b0a6d4da80e2f4687f6d8693bd23c6b940ae7e');
