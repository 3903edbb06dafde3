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
 using (source_id = any ((select evervec.open_sources())::integer[]) or (select evervec.acts_for_all()) or evervec.sees_row(source_id, row_key));

insert into evervec.schema_version (migration_id, checksum)
values ('evervec_0003_sources', '4457d819e6e28bae5cf70d64d2cd446f35be0cd48aee49adc90a1e100b0a5acf');
