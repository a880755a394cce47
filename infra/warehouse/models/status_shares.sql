-- The share of rows with each status, of the chains (probe is null) and of each probe. A status that occurs anywhere in
-- a probe's rows has a share in all its groups: 0 where it does not occur.
with found as (
    select run_id, model, task, strategy, variant, channel, item_id, nullif('', '') as probe, status
    from {{ ref('stg_chains') }}
    union all
    select run_id, accountable, task, strategy, variant, channel, item_id, probe, status
    from {{ ref('stg_observations') }}
),

statuses as (
    select distinct run_id, coalesce(probe, '') as probe, status
    from (
        select run_id, probe, status from found
        union all
        select run_id, probe, 'ok' as status from found
    ) as occurring
)

select
    found.run_id, found.model, found.task, found.strategy, found.variant, found.channel, found.probe,
    'status_share' as metric, statuses.status as method,
    avg(case when found.status = statuses.status then 1.0 else 0.0 end) as value,
    count(*) as n_total, count(*) as n_ok, count(distinct found.item_id) as n_items
from found
inner join statuses on found.run_id = statuses.run_id and coalesce(found.probe, '') = statuses.probe
group by
    found.run_id, found.model, found.task, found.strategy, found.variant, found.channel, found.probe, statuses.status
