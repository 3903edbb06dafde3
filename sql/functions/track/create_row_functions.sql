-- create_row_functions: the generated functions through which claim, complete and passes touch a source.
--
-- key_<source>(key columns), canonical_<source>(row_key) → row_key
-- render_<source>(row_keys, characters) → texts as they are now, their hashes, and what the stored vectors stand for
-- write_<source>(row_keys, hashes, vectors) → stores what is still true, says what became of the rest
-- erase_<source>(row_keys) → drops vectors; gives back the positions that a user's transaction holds
-- slice_<source>, orphans_<source> → see create_pass_functions
-- hashes_<source>, clear_<source> → see create_vector_functions
-- taste_<source>, taste_of_<source>, centre_<source> → see create_taste_functions
-- sample_<source>(percent, characters) → see create_sample_function
-- document_<source>, redocument_<source> → see create_document_functions
-- priority_<source>(row_keys) → priorities, where the source has an expression for them
-- put_<source>, remove_<source> → see create_manual_functions
--
-- Locks:  none that matter; the functions take ROW SHARE on the source and never wait for a row lock.
create or replace function evervec.create_row_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
begin
    perform evervec.create_key_function(p_source);
    perform evervec.create_render_function(p_source);
    if p_source.storage = 'column' then
        perform evervec.create_column_functions(p_source);
    else
        perform evervec.create_table_functions(p_source);
    end if;
    if p_source.storage = 'manual' then
        perform evervec.create_manual_functions(p_source);
    end if;
    if p_source.text_search is not null then
        perform evervec.create_document_functions(p_source);
    end if;
    perform evervec.create_vector_functions(p_source);
    perform evervec.create_taste_functions(p_source);
    perform evervec.create_pass_functions(p_source);
    perform evervec.create_sample_function(p_source);
    if p_source.priority_sql is not null then
        perform evervec.create_priority_function(p_source);
    end if;
end
$$;

comment on function evervec.create_row_functions(evervec.source) is
$$Internal. Creates or replaces the functions key_, canonical_, render_, write_, erase_, hashes_, clear_, taste_, taste_of_, centre_, slice_, orphans_, sample_, document_, redocument_ and priority_<source>.$$;

revoke execute on function evervec.create_row_functions(evervec.source) from public;
