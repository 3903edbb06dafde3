#!/bin/sh
# What evervec wants of a superuser, once a database: pgvector, what else there is of the extensions that it uses,
# and shop_owner, a role that is no superuser and owns what evervec makes. The image of PostgreSQL runs it at its
# first start; on a server of your own, the user postgres does: POSTGRES_DB=shop OWNER_PASSWORD_FILE=… setup.sh
set -eu

psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 \
    --username="${POSTGRES_USER:-postgres}" --dbname="${POSTGRES_DB:-postgres}" <<'SQL'
set client_min_messages = warning;
set log_statement = 'none';  -- a password follows
\set password `cat "${OWNER_PASSWORD_FILE:-/run/secrets/owner}"`
create role shop_owner login password :'password';
grant create on database :"DBNAME" to shop_owner;
grant create, usage on schema public to shop_owner;

create extension if not exists vector;
-- Of those who let everybody send requests from the server, only shop_owner may.
select format(e.statement, e.name)
  from pg_available_extensions
  join (values
    ('pg_cron', 'create extension if not exists %I; grant usage on schema cron to shop_owner'),
    ('pg_net',  'create extension if not exists %I; revoke usage on schema net from public;
                 grant usage on schema net to shop_owner; grant execute on all functions in schema net to shop_owner'),
    ('http',    'create schema if not exists %1$I; create extension if not exists %1$I schema %1$I;
                 grant usage on schema %1$I to shop_owner')
  ) as e (name, statement) using (name)
\gexec
SQL
