-- tune: finds the least effort with which the searches of a source find as much as is wanted, and has them use it from now on.
--
-- Never less than what searches take anyway: even noise leaves rows as queries easier than what is not among them (`make bench NAME=index`), and an
-- effort of 10 may look like enough.
-- Nothing is stored where the greatest effort is not enough: that would make every search slow, and still miss rows.
-- Measuring is done with the caller's rights, keeping the result with those of evervec's owner.
-- Locks:  ACCESS SHARE on the embedding table; the source's row at the end.
-- Raises: VE101 unknown source · VE111 a number out of its range · VE210, 2BP01 as create_search_functions · VE221 the recall is not reached
-- needs: functions/search/keep_effort.sql
-- needs: functions/search/measure_recall.sql
create or replace function evervec.tune(
    p_source        text,
    p_target_recall double precision default 0.95,
    p_samples       integer default 100,
    p_limit         integer default 10,
    p_noise         double precision default 2
)
returns table (effort integer, recall real, p50_ms real, p95_ms real, chosen boolean)
language plpgsql
set search_path from current
as $$
declare
    v_efforts integer[];
    v_recalls real[];
    v_p50     real[];
    v_p95     real[];
    v_indexed boolean;
    v_chosen  integer;
begin
    if p_target_recall is null then
        perform evervec.keep_effort(p_source, null);
        return;
    elsif not (p_target_recall > 0 and p_target_recall <= 1) then
        perform evervec.check_option('p_target_recall', p_target_recall::text, array['a number above 0, up to 1', 'NULL for the default effort again']);
    end if;
    select array_agg(m.effort order by m.effort), array_agg(m.recall order by m.effort), array_agg(m.p50_ms order by m.effort),
           array_agg(m.p95_ms order by m.effort), bool_or(m.indexed), min(m.effort) filter (where m.reached)
      into v_efforts, v_recalls, v_p50, v_p95, v_indexed, v_chosen
      from evervec.measure_recall(p_source, p_samples, p_limit, p_noise, p_target => p_target_recall) m;
    if v_indexed and v_chosen is null then
        raise exception using
            errcode = 'VE221',
            message = format('searches of "%s" do not reach a recall of %s', p_source, p_target_recall),
            detail  = format('The greatest effort, %s, finds %s, in %s ms. Nothing was changed.', v_efforts[cardinality(v_efforts)],
                             round(v_recalls[cardinality(v_recalls)]::numeric, 4), round(v_p50[cardinality(v_p50)]::numeric, 1)),
            hint    = evervec.better_index(p_source);
    elsif v_indexed then
        perform evervec.keep_effort(p_source, v_chosen);
    end if;
    return query
    select case when v_indexed then m.effort end, m.recall, m.p50_ms, m.p95_ms, v_indexed and m.effort = v_chosen
      from unnest(v_efforts, v_recalls, v_p50, v_p95) as m (effort, recall, p50_ms, p95_ms)
     order by m.effort;
end
$$;

comment on function evervec.tune(text, double precision, integer, integer, double precision) is
$$Finds the least hnsw.ef_search, or ivfflat.probes, with which searches of the source find at least p_target_recall (default 0.95) of the p_limit (default 10) nearest rows, as recall_check measures it on p_samples (default 100) rows with p_noise (default 2), by doubling and halving, from the default effort up; and stores it: from then on all search functions of the source set it, except nearest_<source>. By more than the standard error, so that another sample hardly finds less: a greater p_samples gets closer. The setting evervec.search_effort of a session goes before it. p_target_recall => NULL puts the default back. Returns what was measured, by effort; chosen: that one is stored. Where searches ask no index, because there is none or few vectors, there is nothing to choose: effort is NULL, and what is stored stays. Takes as long as p_samples exact searches, and a little more. Measures with the caller's privileges. Raises VE101, VE111, VE210, VE221, 2BP01.$$;

revoke execute on function evervec.tune(text, double precision, integer, integer, double precision) from public;
