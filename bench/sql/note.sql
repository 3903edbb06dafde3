-- Tables for the fold: short rows, because only their keys matter; and rows of 500 characters for a worker to embed.
create schema fold;
create table fold.note (
    id    bigint  primary key,
    body  text    not null,
    grade integer not null default 0
);
create table fold.article (
    id     bigint  primary key,
    body   text    not null,
    urgent boolean not null default false
);
select evervec.track('fold.note', p_columns => '{{body}}', p_model => {model}, p_index => 'none', p_backfill => false);
select evervec.track('fold.article', p_columns => '{{body}}', p_model => {model}, p_index => 'none', p_backfill => false,
                     p_priority => $$case when urgent then 1 else 5 end$$);
