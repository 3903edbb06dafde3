-- track_users: who is deleted from a table of the application's is forgotten here.
--
-- Partitioned tables and partitions are refused: a statement that names the one fires no statement trigger of the other.
-- Locks:  SHARE ROW EXCLUSIVE on the table, taken in attempts of half a second with pauses between them.
-- Raises: VE508 not an ordinary table, or without that column · 55P03 the table stays locked
-- needs: functions/core/lock_relation.sql
create or replace function evervec.track_users(p_relation regclass, p_key text)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_kind text;
    v_key  pg_attribute;
begin
    select case when c.oid is null then 'is no relation' when c.relispartition then 'is a partition'
                when c.relkind = 'p' then 'is a partitioned table' when c.relkind <> 'r' then 'is no table'
                when c.relpersistence = 't' then 'is a temporary table' end
      into v_kind
      from (select) x
      left join pg_class c on c.oid = p_relation;
    select a.* into v_key
      from pg_attribute a
     where a.attrelid = p_relation and a.attname = p_key and a.attnum > 0 and not a.attisdropped;
    if v_kind is not null or not found then
        raise exception using
            errcode = 'VE508',
            message = format('users of %s cannot be tracked', coalesce(p_relation::text, 'NULL')),
            detail  = coalesce('It ' || v_kind || '.', format('It has no column %s; its columns: %s.', coalesce(quote_ident(p_key), 'NULL'), (
                select string_agg(a.attname, ', ' order by a.attnum)
                  from pg_attribute a
                 where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped))),
            hint    = 'Name an ordinary table, and the column that has what evervec knows users by. Otherwise call evervec.forget_user() yourself.';
    end if;
    delete from evervec.user_relation u where not exists (select from pg_class c where c.oid = u.relation);
    perform evervec.untrack_users(p_relation);
    perform evervec.lock_relation(p_relation, 'share row exclusive');
    insert into evervec.user_relation (relation, key_column, key_attribute) values (p_relation, v_key.attname, v_key.attnum);
    execute format('create trigger evervec_forget_deleted after delete on %s referencing old table as evervec_old '
                   'for each statement execute function evervec.forget_deleted()', p_relation);
    execute format('create trigger evervec_forget_truncated after truncate on %s for each statement execute function evervec.forget_truncated()', p_relation);
end
$$;

comment on function evervec.track_users(regclass, text) is
$$From now on, who is deleted from a table of the application's is forgotten, as by forget_user: in the same transaction, or, where that is REPEATABLE READ or SERIALIZABLE, within a minute. TRUNCATE: all are forgotten who are in no other tracked table. May be repeated, with another key too. p_relation: an ordinary table. p_key: the column whose text evervec knows users by. A key that is changed moves nothing. Raises VE508, 55P03.$$;

revoke execute on function evervec.track_users(regclass, text) from public;
