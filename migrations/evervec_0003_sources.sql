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

insert into evervec.schema_version (migration_id, checksum)
values ('evervec_0003_sources', 'cc9158bb076548cba84aaf819b4d0061e0e8dfa460187ba0c588d6dadc43d780');
