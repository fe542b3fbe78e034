"""ECS as AWS has it, inside the embedded AWS.

MiniStack without Docker keeps ECS's records and speaks its API, but plays the scheduler's part
loosely: a task is RUNNING at once, scale-in takes the newest even when it is protected, a deleted
service is gone at once, and no task ever makes an event. Mayfly's planner lives off exactly those
things, so `install` puts these functions in the place of MiniStack's:

- `tasks`: a task's life, from PROVISIONING to STOPPED, at the agent's word, each step an event;
- `protection`: scale-in protection, with its end and its refusals;
- `services`: create, update, delete, and the scheduler that compares desired with actual.

Everything else (clusters, task definitions, tags, listing) is MiniStack's own. Time is this
process's clock; nothing here starts a process: that is the agent's part (`local.fargate`), which
speaks to this through the ECS API like any other agent.
"""

#: The one action that AWS has no API for: it wants its Spot capacity back.
INTERRUPT_ACTION = "MayflyInterruptSpotTask"
