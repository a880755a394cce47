-- Chains with their variant and channel, never null. A failed chain has no channel: it gets that of its item's other
-- chains, if they have one in common. '' means that channels are not told apart.
select
    run_id, model, task, strategy, item_id, chain_index, status, answer, correct, n_steps, finish_reason,
    coalesce(variant, 'plain') as variant,
    coalesce(
        channel,
        case
            when
                min(channel) over (partition by run_id, model, task, strategy, item_id)
                = max(channel) over (partition by run_id, model, task, strategy, item_id)
                then min(channel) over (partition by run_id, model, task, strategy, item_id)
        end,
        ''
    ) as channel
from {{ source('cotfaith', 'chains') }}
