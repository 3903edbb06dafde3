-- definitions_hash: a number that changes with whatever decides how a source's inputs become preferences: types, weightings, model. (Signals
-- say it themselves.)
--
-- Locks:  none.
-- needs: functions/preference/preferences_of.sql
create or replace function evervec.definitions_hash(p_source evervec.source)
returns numeric
language sql stable
set search_path from current
as $$
    select p_source.model_id
         + (select coalesce(sum(hash_record_extended((t.name, t.weight, t.rated), 2)), 0) from evervec.interaction_type t)
         + (select sum(hash_record_extended((p.name, p.weighting, p.signals, p.types, p.tastes, w.own_mean, w.rating_middle, w.rating_scale, w.rating_lift,
                                             w.unrated, w.half_life, w.period, w.curve, w.saturation, w.frequency), 3))
              from evervec.preferences_of(p_source.source_id) p
              join evervec.weighting w on w.name = p.weighting)
$$;

comment on function evervec.definitions_hash(evervec.source) is
$$Internal. A hash of the interaction types, kinds of preference and weightings that count for a source, and of its model.$$;

revoke execute on function evervec.definitions_hash(evervec.source) from public;
