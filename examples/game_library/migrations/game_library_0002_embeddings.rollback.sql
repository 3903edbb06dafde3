-- Vectors, triggers, functions, filters, signals, preferences and jobs go; the tables are as they were. The model stays known.

select evervec.untrack_users('public.users');
select evervec.untrack('achievements', p_drop_vectors => true);
select evervec.untrack('collections', p_drop_vectors => true);
select evervec.untrack('games', p_drop_vectors => true);
