-- doctor_budget: finding: a source whose budget of the day, or whose model's, is spent.
--
-- Locks:  none.
-- needs: views/budget_status.sql
create or replace function evervec.doctor_budget(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'budget spent', 'advice',
           format('The budget of %s is spent (%s): nothing of "%s" is embedded until midnight UTC. The remedy allows as much again.',
                  case when b.source is null then format('model "%s"', b.model) else 'the day' end,
                  concat_ws(' and ', format('%s of %s tokens', b.tokens_today, b.tokens_a_day), format('cost %s of %s', b.cost_today, b.cost_a_day)),
                  p_source.name),
           format('select evervec.set_budget(%s);', concat_ws(', ',
                'p_model => ' || quote_literal(b.model),
                'p_source => ' || quote_literal(b.source),
                'p_tokens_a_day => ' || (b.tokens_today + b.tokens_a_day),
                'p_cost_a_day => ' || (b.cost_today + b.cost_a_day)))
      from evervec.budget_status b
      join evervec.model m on m.model_id = p_source.model_id
     where b.spent and (b.source = p_source.name or b.model = m.name) and p_source.storage <> 'manual'
$$;

comment on function evervec.doctor_budget(evervec.source) is
$$Internal. Finding of doctor: a budget that is spent.$$;

revoke execute on function evervec.doctor_budget(evervec.source) from public;
