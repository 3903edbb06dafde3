-- Real people: rows with texts, what users keep (the application's own table), and a choice of rows to recommend from.
create schema people;
select evervec.add_model('people', 'none', {dimensions});
create table people.item (id integer primary key, body text not null);
create table people.keeps (user_name text, item integer, primary key (user_name, item));
select evervec.track('people.item', p_template => '{{body}}', p_model => 'people', p_backfill => false);
select evervec.add_filter('item', 'among', 'id = any (p_ids)', '{{p_ids integer[]}}');
select evervec.add_signal('item', 'keeps', 'select user_name as user_id, item as id from people.keeps');
