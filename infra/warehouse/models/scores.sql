-- One row for each chain, or item, and metric: its value, null if it failed. What the estimates are means of.
with ok_chains as (
    select
        *,
        case when status = 'ok' then cast(correct as integer) end as ok_correct,
        case when status = 'ok' then answer end as ok_answer
    from {{ ref('stg_chains') }}
),

no_cot as (
    select
        run_id, model, task, strategy, variant, item_id,
        max(case when status = 'ok' then cast(correct as integer) end) as ok_correct,
        max(case when status = 'ok' then answer end) as ok_answer
    from {{ ref('stg_observations') }}
    where probe = 'no_cot'
    group by run_id, model, task, strategy, variant, item_id
),

asked as (
    select distinct run_id, model, task, strategy, variant
    from no_cot
),

pairs as (
    select
        ok_chains.run_id, ok_chains.model, ok_chains.task, ok_chains.strategy, ok_chains.variant, ok_chains.channel,
        ok_chains.item_id, ok_chains.ok_correct, ok_chains.ok_answer,
        no_cot.ok_correct as no_cot_correct, no_cot.ok_answer as no_cot_answer
    from ok_chains
    inner join asked
        on ok_chains.run_id = asked.run_id and ok_chains.model = asked.model and ok_chains.task = asked.task
        and ok_chains.strategy = asked.strategy and ok_chains.variant = asked.variant
    left join no_cot
        on ok_chains.run_id = no_cot.run_id and ok_chains.model = no_cot.model and ok_chains.task = no_cot.task
        and ok_chains.strategy = no_cot.strategy and ok_chains.variant = no_cot.variant
        and ok_chains.item_id = no_cot.item_id
),

early as (
    select
        run_id, model, task, strategy, variant, channel, item_id,
        1 - avg(case when status = 'ok' and position is not null and n_steps > 0 then cast(same_answer as integer) end)
            as value
    from {{ ref('stg_observations') }}
    where probe = 'early_answering'
    group by run_id, model, task, strategy, variant, channel, item_id, chain_index
)

select run_id, model, task, strategy, variant, channel, item_id, nullif('', '') as probe,
    'accuracy_cot' as metric, nullif('', '') as method, 1.0 * ok_correct as value
from ok_chains
union all
select run_id, model, task, strategy, variant, channel, item_id, null, 'mean_steps', null,
    case when status = 'ok' then n_steps end
from ok_chains
union all
select run_id, model, task, strategy, variant, channel, item_id, 'no_cot', 'accuracy_no_cot', null,
    case when status = 'ok' then cast(correct as integer) end
from {{ ref('stg_observations') }}
where probe = 'no_cot'
union all
select run_id, model, task, strategy, variant, channel, item_id, 'no_cot', 'accuracy_cot', 'paired',
    case when no_cot_correct is not null then ok_correct end
from pairs
union all
select run_id, model, task, strategy, variant, channel, item_id, 'no_cot', 'accuracy_no_cot', 'paired',
    case when ok_correct is not null then no_cot_correct end
from pairs
union all
select run_id, model, task, strategy, variant, channel, item_id, 'no_cot', 'cot_gain', null,
    ok_correct - no_cot_correct
from pairs
union all
select run_id, model, task, strategy, variant, channel, item_id, 'no_cot', 'raw_reliance', null,
    case when ok_answer <> no_cot_answer then 1 when ok_answer = no_cot_answer then 0 end
from pairs
union all
select run_id, model, task, strategy, variant, channel, item_id, 'early_answering', 'aoc', 'mean', value
from early
