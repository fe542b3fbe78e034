"""Every kind of misfortune, by name: each can be drawn, counted, and must be proven to fire."""

import enum


class Kind(enum.StrEnum):
    """One line each; the first word says whose fault it is."""

    # SQS
    SQS_BRANCHES = "the queues do whatever their documents leave open"
    SQS_DUPLICATE = "a message is delivered twice"
    SQS_DELAY = "a message shows late"
    SQS_REORDER = "a younger message is handed out before an older one"
    SQS_EXPIRED = "a message's hold runs out while it is worked on"
    SQS_AFTER_DELETE = "a message is received after it was deleted"
    SQS_STALE_DELETE_DELETES = "a stale handle deletes the new owner's message"
    SQS_STALE_DELETE_NOTHING = "a stale handle deletes nothing, and says it did"
    SQS_STALE_DELETE_REFUSED = "a stale handle is refused"
    SQS_HOLD_CAP = "a message may not be held longer than 12 h"
    SQS_EMPTY_RECEIVE = "a receive finds nothing though there is something"
    SQS_COUNT_LAGS = "a queue's counts are behind"
    SQS_DEAD_LETTER = "a message is moved to the dead letters"
    SQS_REFUSED = "a call to SQS fails"
    SQS_ANSWER_LOST = "a call to SQS is done and its answer lost"
    # S3
    S3_NOTE_LOST = "a notification never comes"
    S3_NOTE_LATE = "a notification comes late"
    S3_NOTE_TWICE = "a notification comes twice"
    S3_OVERWRITTEN = "a source is replaced while its job runs"
    S3_REFUSED = "S3 answers 5xx and has done nothing"
    S3_ANSWER_LOST = "S3 answers 5xx and has done it"
    S3_GRANT_DIED = "a signed URL dies before its work is done"
    # ECS
    ECS_THROTTLED = "ECS throttles a call"
    ECS_CREATE_LATE = "a created service is seen late"
    ECS_NEVER_PLACED = "a service is created and no task of it is placed"
    ECS_SPOT_NOTICE = "Spot takes a machine, with notice"
    ECS_SPOT_KILL = "Spot takes a machine at once"
    ECS_SPOT_TOGETHER = "Spot takes several machines together"
    ECS_DRAINING_LASTS = "a deleted service drains for long"
    ECS_SLOW_START = "a task starts slowly"
    ECS_SCALE_IN = "ECS picks a task to stop"
    ECS_PROTECTION_REFUSED = "protection is refused"
    ECS_EVENT_TWICE = "a task event comes twice"
    ECS_EVENT_LOST = "a task event never comes"
    ECS_REFUSED = "a call to ECS fails"
    ECS_ANSWER_LOST = "a call to ECS is done and its answer lost"
    ECS_STILLBORN = "a worker stops before it begins"
    # Lambda
    LAMBDA_CRASH = "an invocation dies between two port calls"
    LAMBDA_TIME_OUT = "an invocation takes too long"
    LAMBDA_CONCURRENT = "two invocations run at once"
    LAMBDA_PARTIAL = "some messages of a batch fail"
    LAMBDA_TICK_LOST = "a tick never comes"
    # DynamoDB
    TABLE_BRANCHES = "the table does whatever its documents leave open"
    TABLE_CONFLICT = "a condition does not hold"
    TABLE_THROTTLED = "the table throttles a call"
    TABLE_ANSWER_LOST = "a transaction is done and its answer lost"
    TABLE_INDEX_LAGS = "the index is behind"
    # Clocks
    CLOCK_SKEW = "clocks disagree"
    # Workers
    WORKER_FROZEN = "a worker stands still"
    WORKER_OUT_OF_MEMORY = "an input kills its worker"
    WORKER_FAILED = "an attempt fails for unknown reasons"
    WORKER_OTHER_PLAN = "two workers cut one source differently"
    WORKER_BAD_INPUT = "an input is at fault"
    # People
    USER_CANCEL = "somebody cancels"
    USER_PAUSE = "somebody pauses the stack"
    USER_RERUN = "somebody asks for it again"
    USER_REDRIVE = "somebody tries everything again that failed"
    USER_FORGED_REPORT = "somebody reports without the token"
