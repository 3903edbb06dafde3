-- model_named: the model of that name, or the error that every function gives for an unknown one.
--
-- Locks:  none.
-- Raises: VE108 unknown model
create or replace function evervec.model_named(p_model text)
returns evervec.model
language plpgsql stable
set search_path from current
as $$
declare
    v_model evervec.model;
begin
    select * into v_model from evervec.model m where m.name = p_model;
    if not found then
        raise exception using
            errcode = 'VE108',
            message = format('model "%s" does not exist', p_model),
            detail  = coalesce(
                (select 'Known models: ' || string_agg(m.name, ', ' order by m.name) || '.' from evervec.model m),
                'No model is known.'),
            hint    = 'Add it with: SELECT evervec.add_model(''text-embedding-3-small'', ''openai'', 1536);';
    end if;
    return v_model;
end
$$;

comment on function evervec.model_named(text) is
$$Internal. The row of a model by its name. Raises VE108 when there is none.$$;

revoke execute on function evervec.model_named(text) from public;
