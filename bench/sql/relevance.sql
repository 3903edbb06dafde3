-- Packages to search for, by meaning and by words.
create schema relevance;
select evervec.add_model('relevance', 'none', {dimensions});
create table relevance.package (id integer primary key, body text not null);
select evervec.track('relevance.package', p_template => '{{body}}', p_model => 'relevance', p_text_search => 'english', p_backfill => false);
