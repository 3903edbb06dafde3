--
-- The model that comes with evervec. Its rollback, the first to run on the way down, is the guard of everybody's vectors.
--
-- depends: evervec_0002_functions

insert into evervec.model (name, provider, provider_model, dimensions, input_limit, batch_texts)
values ('local', 'local', 'universal-sentence-encoder-multilingual-v3', 512, 8191, 100);

insert into evervec.schema_version (migration_id, checksum)
values ('evervec_0003_sources', '7fda7bf009a4addd1cebf1de2126c1281a178fc7b75cba7263cbe956fb13bbe5');
