-- Some of the estimates, made of the rows: means over all chains, in which an item counts as often as it has chains.
-- Intervals are not made here: take them from the table estimates.
select
    run_id, model, task, strategy, variant, channel, probe, metric, method,
    avg(value) as value,
    count(*) as n_total,
    count(value) as n_ok,
    count(distinct case when value is not null then item_id end) as n_items
from {{ ref('scores') }}
group by run_id, model, task, strategy, variant, channel, probe, metric, method
union all
select run_id, model, task, strategy, variant, channel, probe, metric, method, value, n_total, n_ok, n_items
from {{ ref('status_shares') }}
