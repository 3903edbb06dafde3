-- measure_recall: how much of what is nearest the searches of a source find, and how fast, with one effort or several.
--
-- Sampled rows are the queries, each without itself, and moved by noise: a graph leads to its own rows far more surely than to what is not in it, and
-- what users look for is not in it (`make bench NAME=index` has queries that are not). What counts is distance: a row is right when it is no farther than the last of those
-- that an exact search gives, so that of rows at the same distance each is as good as the other. All efforts are asked the same, by the
-- function through which everybody searches. Asked twice, and timed the second time: what was read from disk the first time is in
-- memory then. STABLE, so that all of it sees the same rows.
--
-- p_efforts: those to measure (NULL among them: as searches are now); NULL: by doubling from the least that makes a difference, up to the
-- greatest; or, with p_target, from what searches take where nobody has said until it is reached, and then the least that reaches it in between.
-- reached: by more than the standard error of the mean, so that another sample would hardly say otherwise.
-- indexed: whether searches asked an index at all; few vectors are searched exactly, and then no effort is of any effect.
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE111 a number out of its range
-- needs: functions/search/recall_queries.sql
create or replace function evervec.measure_recall(
    p_source  text,
    p_samples integer,
    p_limit   integer,
    p_noise   double precision,
    p_efforts integer[] default null,
    p_target  double precision default null
)
returns table (
    effort       integer,
    samples      integer,
    recall       real,
    p50_ms       real,
    p95_ms       real,
    exact_p50_ms real,
    exact_p95_ms real,
    indexed      boolean,
    reached      boolean
)
language plpgsql stable
set search_path from current
as $$
declare
    v_former   text := coalesce(current_setting('evervec.search_effort', true), '');
    v_queries  record;
    v_row_keys jsonb[];
    v_vectors  vector[];
    v_vector   vector;
    v_exact    real[];
    v_found    real[];
    -- Of each sample: distance of the last that is right, and how many there are.
    v_bounds   real[];
    v_wanted   integer[];
    v_recalls  double precision[];
    v_ms       double precision[];
    v_began    timestamptz;
    v_scans    bigint;
    v_after    bigint;
    v_number   integer := 1;
    -- The greatest effort that was too little, and the least that was enough.
    v_low      integer;
    v_high     integer;
    v_recall   double precision;
    v_error    double precision;
begin
    if p_samples between 1 and 10000 is not true then
        perform evervec.check_option('p_samples', p_samples::text, array['a whole number from 1 to 10000']);
    elsif p_limit between 1 and 1000 is not true then
        perform evervec.check_option('p_limit', p_limit::text, array['a whole number from 1 to 1000']);
    elsif p_noise between 0 and 100 is not true then
        perform evervec.check_option('p_noise', p_noise::text, array['a number from 0 to 100']);
    end if;
    select * into v_queries from evervec.recall_queries(p_source, p_limit);
    foreach effort in array coalesce(p_efforts, array[]::integer[]) loop
        if effort not between 1 and v_queries.most_effort then
            perform evervec.check_option('p_effort', effort::text, array[format('a whole number from 1 to %s', v_queries.most_effort)]);
        end if;
    end loop;

    execute v_queries.sample into v_row_keys, v_vectors using p_samples;
    samples := coalesce(cardinality(v_row_keys), 0);
    for v_sample in 1 .. samples loop
        if p_noise > 0 then
            execute v_queries.noisy into v_vector using v_vectors[v_sample], p_limit, p_noise;
            v_vectors[v_sample] := v_vector;
        end if;
        v_began := clock_timestamp();
        execute v_queries.exact_search into v_exact using v_vectors[v_sample], v_row_keys[v_sample], p_limit;
        v_ms[v_sample] := extract(epoch from clock_timestamp() - v_began) * 1000;
        v_wanted[v_sample] := cardinality(v_exact);
        v_bounds[v_sample] := v_exact[cardinality(v_exact)];
    end loop;
    select percentile_cont(0.5) within group (order by m.ms), percentile_cont(0.95) within group (order by m.ms)
      into exact_p50_ms, exact_p95_ms
      from unnest(v_ms) as m (ms);

    effort := coalesce(p_efforts[1], case when p_efforts is not null then v_queries.effort when p_target is null then v_queries.least_effort
                                          else v_queries.plain_effort end);
    loop
        perform set_config('evervec.search_effort', effort::text, true);
        execute coalesce(v_queries.index_scans, 'select 0') into v_scans;
        v_recalls := array[]::double precision[];
        v_ms := array[]::double precision[];
        for v_sample in 1 .. 2 * samples loop
            v_began := clock_timestamp();
            execute v_queries.search into v_found
            using v_vectors[(v_sample - 1) % samples + 1], v_row_keys[(v_sample - 1) % samples + 1], p_limit;
            if v_sample > samples then
                v_ms := v_ms || extract(epoch from clock_timestamp() - v_began)::double precision * 1000;
            elsif v_wanted[v_sample] > 0 then
                v_recalls := v_recalls || (
                    select least(count(*), v_wanted[v_sample])::double precision / v_wanted[v_sample]
                      from unnest(v_found) as f (distance)
                     where f.distance <= v_bounds[v_sample]);
            end if;
        end loop;
        perform set_config('evervec.search_effort', v_former, true);
        execute coalesce(v_queries.index_scans, 'select 0') into v_after;
        select avg(r.recall), coalesce(stddev_samp(r.recall) / sqrt(count(*)), 0) into v_recall, v_error from unnest(v_recalls) as r (recall);
        select percentile_cont(0.5) within group (order by m.ms), percentile_cont(0.95) within group (order by m.ms)
          into p50_ms, p95_ms
          from unnest(v_ms) as m (ms);
        indexed := coalesce(v_after > v_scans, false);
        recall := v_recall;
        reached := v_recall - v_error >= p_target - 1e-9;
        return next;

        if p_efforts is not null then
            exit when v_number = cardinality(p_efforts);
            v_number := v_number + 1;
            effort := coalesce(p_efforts[v_number], v_queries.effort);
        else
            -- Exact with the least effort, and so with every one. With more, it may become so: with a target, that is what reaches it.
            exit when not indexed and (v_low is null or p_target is null);
            if reached then
                v_high := effort;
            else
                v_low := effort;
            end if;
            exit when v_high - coalesce(v_low, v_high - 1) <= 1 or v_low = v_queries.most_effort;
            effort := case when v_high is null then least(2 * effort, v_queries.most_effort) else (v_low + v_high) / 2 end;
        end if;
    end loop;
end
$$;

comment on function evervec.measure_recall(text, integer, integer, double precision, integer[], double precision) is
$$Internal. One row an effort: recall, time of searches and of exact ones at the median and the 95th percentile, whether an index was asked, and whether the recall is p_target or more by its standard error. Raises VE101, VE111.$$;

revoke execute on function evervec.measure_recall(text, integer, integer, double precision, integer[], double precision) from public;
