-- follow_renames: writes the functions of sources anew whose table, schema or columns were renamed, or whose partitions changed.
--
-- The applications' writes have gone on meanwhile: triggers follow renames, or log that they could not name the row. Then all rows
-- are compared, because keys in the queue bear the old names.
-- Locks:  none on the table, but SHARE ROW EXCLUSIVE on new partitions, for half a second at most.
create or replace function evervec.follow_renames(p_sources integer[])
returns void
language plpgsql
set search_path from current
as $$
declare
    v_former evervec.source;
    v_source evervec.source;
    v_filter evervec.filter;
begin
    for v_former in
        select s.*
          from evervec.source s
          join pg_class c on c.oid = s.relation
         where s.source_id = any (p_sources)
           and (evervec.qualified_name(s.relation), evervec.qualified_name(s.target), evervec.attribute_names(s.relation, s.key_attributes),
                evervec.attribute_names(s.relation, s.watched_attributes), evervec.attribute_names(s.relation, s.return_attributes))
               is distinct from (s.relation_name, s.target_name, s.key_columns, s.watched_columns, s.return_columns)
            or s.source_id = any (p_sources)
           and not exists (
               select from pg_index i
                where i.indrelid = s.relation and i.indisprimary
                  and array(select k.attnum
                              from unnest(i.indkey::smallint[]) with ordinality as k (attnum, ordinality)
                             where k.ordinality <= i.indnkeyatts
                             order by k.ordinality) = s.key_attributes)
           for update of s skip locked
    loop
        if evervec.attribute_numbers(v_former.relation, array(
                select k.column_name from evervec.primary_key(v_former.relation) k order by k.ordinal)) <> v_former.key_attributes then
            -- Other columns are the key now. Only new triggers can notice its changes, and they need a lock that is the DBA's to give.
            update evervec.source s
               set state = 'suspended',
                   last_error = format('The primary key of %s is another one now. Call evervec.retrack(%L).', s.relation, s.name)
             where s.source_id = v_former.source_id;
            continue;
        end if;
        begin
            v_source := evervec.with_present_names(v_former);
            v_source := evervec.with_recipe(v_source);
        exception when others then
            v_source := evervec.with_return_columns(evervec.with_key(v_former),
                                                    evervec.attribute_names(v_former.relation, v_former.return_attributes));
            v_source.last_error := sqlerrm;
        end;
        perform evervec.update_source(v_source);
        perform evervec.create_row_functions(v_source);
        if v_source.storage = 'column' then
            perform evervec.create_search_function(v_source);
        end if;
        begin
            perform evervec.create_similar_functions(v_source);
            if v_source.text_search is not null then
                perform evervec.create_hybrid_function(v_source);
            end if;
        exception when others then
            -- A view of somebody's uses a function whose columns are named otherwise now, or two of them would have the same name.
            update evervec.source s set last_error = coalesce(s.last_error, sqlerrm) where s.source_id = v_source.source_id;
        end;
        for v_filter in select * from evervec.filter f where f.source_id = v_source.source_id loop
            begin
                perform evervec.create_filter_functions(v_source, v_filter);
            exception when others then
                -- Its words cannot be followed: doctor tells.
                continue;
            end;
        end loop;
        perform evervec.create_trigger_functions(v_source);
        if v_source.key_columns <> v_former.key_columns then
            delete from evervec.processing_queue q where q.source_id = v_source.source_id;
        end if;
        perform evervec.start_pass(v_source.source_id, 'reconcile');
    end loop;

    for v_source in
        select s.*
          from evervec.source s
         where s.source_id = any (p_sources) and s.relation_kind = 'p'
           and evervec.partitions_of(s.relation) <> s.partitions
           for update of s skip locked
    loop
        begin
            perform evervec.create_partition_triggers(v_source);
        exception when lock_not_available then
            -- The next call tries again.
            continue;
        end;
        update evervec.source s
           set partitions = evervec.partitions_of(s.relation)
         where s.source_id = v_source.source_id;
        perform evervec.start_pass(v_source.source_id, 'reconcile');
    end loop;
end
$$;

comment on function evervec.follow_renames(integer[]) is
$$Internal. Adapts sources to renamed tables and columns and to attached and detached partitions, and starts to compare their rows.$$;

revoke execute on function evervec.follow_renames(integer[]) from public;
