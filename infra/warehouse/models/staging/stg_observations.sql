-- Observations with the channel of their chain; one on an item counts in each channel in which the item has chains.
-- A judge's, a monitor's or an observer's failure counts for it, not for the model that is measured.
with own as (
    select
        run_id, model, task, strategy, item_id, chain_index, probe, arm, status, answer, correct, same_answer, n_steps,
        position, reader, reader_role, channel, coalesce(variant, 'plain') as variant
    from {{ source('cotfaith', 'observations') }}
),

channels as (
    select distinct run_id, model, task, strategy, variant, item_id, channel
    from {{ ref('stg_chains') }}
)

select
    own.run_id, own.task, own.strategy, own.variant, own.item_id, own.chain_index, own.probe, own.arm, own.status,
    own.answer, own.correct, own.same_answer, own.n_steps, own.position, own.reader, own.model,
    case
        when own.reader_role is not null and own.reader_role <> 'reader' and own.reader <> 'rules'
            then own.reader
        else own.model
    end as accountable,
    coalesce(own.channel, of_chain.channel, of_item.channel, '') as channel
from own
left join {{ ref('stg_chains') }} as of_chain
    on own.run_id = of_chain.run_id and own.model = of_chain.model and own.task = of_chain.task
    and own.strategy = of_chain.strategy and own.variant = of_chain.variant and own.item_id = of_chain.item_id
    and own.chain_index = of_chain.chain_index
left join channels as of_item
    on own.chain_index is null and own.channel is null
    and own.run_id = of_item.run_id and own.model = of_item.model and own.task = of_item.task
    and own.strategy = of_item.strategy and own.variant = of_item.variant and own.item_id = of_item.item_id
