-- What the tables under test are filled from: made once, read by every contender alike.
create schema bench;
create table bench.short (id bigint primary key, title text not null, body text not null);
create table bench.long (id bigint primary key, body text not null);
create table bench.vector (id bigint primary key, embedding {vector} not null);
grant usage on schema bench to public;
grant select on all tables in schema bench to public;
