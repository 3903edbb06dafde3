-- Rows to search in: with a column that is below n for n of 1,000, and a source whose rows are hidden but for a tenth.
create schema search;
select evervec.add_model('search', 'none', {dimensions});
create table search.item (id bigint primary key, share integer not null, body text not null);
create table search.guarded (id bigint primary key, share integer not null, body text not null);
select evervec.track('search.item', p_template => '{{body}}', p_model => 'search', p_backfill => false);
select evervec.track('search.guarded', p_template => '{{body}}', p_model => 'search', p_backfill => false);
select evervec.add_filter('item', 'below', 'share < p_share', '{{p_share integer}}');
