-- Each of these estimates beside the one that `cotfaith aggregate` made. A value that it withheld is null there.
select
    mine.run_id, mine.model, mine.task, mine.strategy, mine.variant, mine.channel, mine.probe, mine.metric, mine.method,
    mine.value, mine.n_total, mine.n_ok, mine.n_items,
    theirs.value as their_value, theirs.n_total as their_n_total, theirs.n_ok as their_n_ok,
    theirs.n_items as their_n_items, theirs.withheld, theirs.metric is not null as is_there
from {{ ref('my_estimates') }} as mine
left join {{ source('cotfaith', 'estimates') }} as theirs
    on mine.run_id = theirs.run_id and mine.model = theirs.model and mine.task = theirs.task
    and mine.strategy = theirs.strategy and mine.metric = theirs.metric and mine.variant = coalesce(theirs.variant, 'plain')
    and mine.channel = coalesce(theirs.channel, '') and coalesce(mine.probe, '') = coalesce(theirs.probe, '')
    and coalesce(mine.method, '') = coalesce(theirs.method, '') and theirs.position is null
