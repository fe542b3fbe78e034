"""Every bound of Mayfly with its unit and its reason; their relations are asserted below.

A number that two rooms must agree on stands here and nowhere else.
"""

from mayfly.contract.request import DEADLINE_SECONDS_MAX

# --- The jobs queue and the worker's hold on a message ---------------------------------------

#: How long a worker that vanished without a word keeps its task from others. SQS allows 0 s to
#: 12 h; short, because the heartbeat extends it for as long as the worker lives.
VISIBILITY_SECONDS = 90

#: How often a worker extends its hold, reads its control object and reports progress.
HEARTBEAT_SECONDS = 20

#: Progress is also told at these ages of an attempt: a dozen seconds are all of a short encode.
EARLY_PROGRESS_SECONDS = (1.5, 3.0, 5.0, 7.0, 10.0, 13.0, 16.0)

#: SQS counts the 12 h of a message's invisibility from its receipt; extending never resets it
#: (SQS Developer Guide, visibility timeout). The worker gives the task back before.
HOLD_SECONDS_MAX = 11 * 3600 + 1800

#: Long poll of the jobs queue. SQS allows 20 s; 5 s, because a worker told to stop must not leave
#: a receive in flight, and has 10 s for all of its leaving.
POLL_SECONDS = 5

#: Receives before SQS moves a task to the dead letters. Announced interruptions delete the
#: message and so do not count; vanished workers and unknown failures do.
RECEIVES_MAX = 3

#: Tries of a task that failed for unknown reasons.
UNKNOWN_TRIES_MAX = 3

#: Workers that vanish with one task before its job ends. A dead letter is all of its receives, so
#: the first is released again and the second ends the job; silence is one worker, or one report
#: that died with the invocation that had taken it.
LOST_WORKERS_MAX = 2 * RECEIVES_MAX

#: A running task that reports nothing for this long is released again.
SILENCE_SECONDS = 10 * VISIBILITY_SECONDS

# --- Stopping --------------------------------------------------------------------------------

#: Fargate Spot's notice, and the cap of a container's stopTimeout on Fargate (2..120 s; the
#: default of 30 s kills an upload mid-flight).
STOP_SECONDS = 120

#: What of it is kept to end work that does not fit: stop ffmpeg, report, delete the message.
LEAVE_SECONDS = 10

# --- Grants ----------------------------------------------------------------------------------

#: A chained AssumeRole ends after at most one hour (IAM, role chaining).
SIGNER_SESSION_SECONDS = 3600

#: The signer's session is reused by a warm Lambda for this long, then assumed anew.
SIGNER_REUSE_SECONDS = 600

#: How long a task's URLs live: what is left of the oldest reused session.
GRANT_SECONDS = 2700

#: A worker asks for new grants when the old ones have this long to live.
RENEW_SECONDS = 600

#: A single POST or PUT carries at most 5 GB (S3 quotas).
POST_BYTES_MAX = 5 * 10**9

#: What a single POST cannot carry is stored in pieces of this size, several at once, each tried
#: again for itself. S3 joins parts of 5 MiB to 5 GiB, 10,000 at most.
PIECE_BYTES = 512 * 1024**2
PIECES_AT_ONCE = 4
PIECE_BYTES_MIN = 5 * 1024**2

#: One output: as much as the largest disk of Fargate holds. S3 takes ten times a thousand of that.
OUTPUT_BYTES_MAX = 200 * 1024**3

# --- The source ------------------------------------------------------------------------------

#: Larger than 8K in either direction (8192 x 8192): decoders then hold gigabytes of pictures.
SOURCE_PIXELS_MAX = 8192 * 8192

#: Slow motion of telephones has 240 frames a second, of special cameras 960; a header that claims
#: more is broken or hostile.
SOURCE_FRAMES_PER_SECOND_MAX = 1000

#: Broadcast files carry a picture, up to 16 mono sound tracks and some data.
SOURCE_STREAMS_MAX = 64

#: No worker could hold the message for as long as encoding more would take.
SOURCE_SECONDS_MAX = 24 * 3600

# --- Fan-out ---------------------------------------------------------------------------------

#: Chunks of one source: 24 h at 8.6 s each. The list of its cuts is then 210 KB at most,
#: which an SQS message (1 MiB) and a row (400 KB) hold.
CHUNKS_MAX = 10_000

#: Less work than this is done by one worker: another needs as long to start (Fargate: 1 to 3 min).
SPLIT_SECONDS_MIN = 180

#: A long job should be done so long after it was accepted, unless an operator or its deadline says
#: otherwise. Each worker is billed some 40 s before it works; at ten minutes that is 7 % of the
#: bill, whatever the job's length, at half an hour 2 %. Beyond that nothing is saved, and parts
#: that wait on the queue for longer would outlive their grants.
FINISH_SECONDS = 600
FINISH_SECONDS_MIN, FINISH_SECONDS_MAX = 120, 1800

#: Wall seconds that anybody may predict of one job: a thousand workers' day.
PREDICTED_SECONDS_MAX = 10**8

#: From asking for a worker to its work: Fargate needs 1 to 3 min, most of it before it bills.
WORKER_START_SECONDS = 60

#: From a first worker's beginning to its plan: to read an index, or fetch the source and list it.
LOOK_SECONDS = 60

#: Workers of one service that begin in a second: 125 a minute outside of the largest regions, where
#: it is 500 (ECS, "service throttle logic"; Fargate starts 5 to 20 a second beside that).
LAUNCHES_PER_SECOND = 2.0

#: Workers that are called beside the first for a large source that nobody has looked at, unless an
#: operator says otherwise, and for how long after it was accepted they are kept should nobody cut
#: it. If it is not cut, each has cost its minute, or five at most: all of them together less than
#: three cents.
FORESEEN_WORKERS = 8
#: What is assumed of a source of which only its bytes are known, unless an operator says otherwise:
#: half a bit a pixel, as cameras spend (50 Mbit/s of 1080p50). Most files spend a tenth of that and
#: take longer; those that spend more (a camera's masters, 2 to 4 bits) are guessed too long.
SOURCE_BITS_PER_PIXEL = 0.5
FORESEEN_SECONDS = 300

#: Wall seconds of encoding a chunk: less, and what each costs beside would count; more, and it does
#: not fit into Spot's notice together with that.
WORK_SECONDS_MIN, WORK_SECONDS_MAX = 8, 110

#: What a chunk costs beside its encode: to take it, find its beginning, store it, say so.
CHUNK_COST_SECONDS = 3.0

#: Of its length, what the last chunk makes all wait for: half to all of it.
TAIL_FACTOR = 0.75

#: Chunks that a finish doubts and makes anew. When there are more, it is the cutting that is wrong.
MADE_ANEW_MAX = 4

#: Sound tracks of one source, as many as it may have streams.
AUDIO_TRACKS_MAX = SOURCE_STREAMS_MAX

#: Moments that a plan names for stills: of as many outputs as a recipe may have, a poster's one or
#: a preview's eight places.
STILLS_MAX = 16 * 8

#: Ticks are kept as 64-bit numbers, as media files do.
TICKS_MAX = 2**63 - 1

#: Ticks of a second in an ISO file: of a ladder's grid, 60000 at most, and 90000 elsewhere.
TIMESCALE_MAX = 10**6

#: Frames of a segment: 10 s of 120 a second.
SEGMENT_FRAMES_MAX = 1200

#: Task rows that one transaction opens or lets go (TransactWriteItems takes 100 actions), with
#: room for what stands beside them.
ROWS_PER_TRANSACTION = 90

#: What attempts stored goes after this (S3 lifecycle). The parts of a job must last until they are
#: joined: the largest plan, at a Spot notice a chunk, takes two workers a week.
ATTEMPT_DAYS = 7

# --- Stragglers ------------------------------------------------------------------------------

#: A chunk lags when it has taken so many times the mean of its job's done ones and needs longer
#: still than a fresh attempt would. With equal machines a chunk must then be two and a half times
#: as hard as the others to be taken for one whose machine is slow.
LAG_FACTOR = 1.5

#: Nor is it judged before two heartbeats could say how far it is.
LAG_SECONDS_MIN = 2 * HEARTBEAT_SECONDS

#: Until a worker that is not there yet begins: the middle of Fargate's 1 to 3 minutes.
START_SECONDS = 120

#: Backup attempts of one task, one at a time, so that a task costs at most so many attempts more;
#: and how many one look at a pool asks for.
BACKUPS_MAX = 2
BACKUPS_PER_LOOK = 4

# --- The worker's machine --------------------------------------------------------------------

#: Of the task's memory, what ffmpeg may not have: Python with boto3 takes 70 MiB, the rest is
#: for the files' pages.
RESERVED_MEMORY_MIB = 384

#: What must stay free on the disk beside a source, for the outputs.
RESERVED_DISK_BYTES = 512 * 1024**2

#: One encode. It ends before SQS takes the message away, with time to deliver.
ENCODE_SECONDS_MAX = 10 * 3600

#: ffmpeg says every second how far it is; silence for this long is a hang. The one silent stretch
#: of honest work is moving the index to the front (13 s/GB), and then its file shows that it moves.
STALL_SECONDS_MAX = 300

#: A task received with less than this to live is not begun.
GRANT_SECONDS_MIN = 30

#: Scale-in protection is taken on the way from idle to busy, for longer than any task is held, and
#: given back when idle; ECS allows 48 h. While busy it is taken again between two tasks, at most
#: this often: ECS shares 200 calls, then 80 a second, among all tasks of an account.
PROTECTION_MINUTES = 12 * 60
PROTECTION_RENEW_SECONDS = 60

#: A worker that was refused protection, or cannot reach a queue, looks again after this.
REFUSED_PAUSE_SECONDS = 5

#: The first pause before a task that failed for unknown reasons is handed out again; each receive
#: doubles it.
RETRY_PAUSE_SECONDS = 10

# --- Pools -----------------------------------------------------------------------------------

#: Released tasks per worker: one in work and one waiting, so that no worker idles, and a cancel
#: or a priority takes effect at once.
RELEASED_PER_WORKER = 2

#: Tasks that one look puts on the queue, a few milliseconds each; further ones wait for the next.
RELEASES_MAX = 250

#: Tenants that one look knows of: those whose last turns are longest ago.
TENANTS_READ_MAX = 100

#: Of these the waiting tasks are read, a query of milliseconds each, of so many at a time, until
#: there are enough. In order, so beyond so many tenants a higher priority waits for its turn.
TENANTS_LOOKED_AT_MAX = 20

#: Waiting tasks of ended jobs are let go in batches; a release looks past so many of them, a tick
#: past so many, which for a film of 10,000 chunks takes it six minutes.
PAGES_PER_RELEASE_MAX = 4
PAGES_PER_TICK_MAX = 20

#: A job without a deadline is due after this: as long as the longest deadline that can be given.
UNHURRIED_SECONDS = DEADLINE_SECONDS_MAX

#: Each chunk of a job is due this much after the one before it. Longer than any queue should be, so
#: that newcomers go first; and no chunk can be passed for longer than this in a row.
ROUND_SECONDS = 3600

#: One planner at a time calls ECS for a pool; a crashed one is waited for this long.
LEASE_SECONDS = 20

#: Task stops without any `started` report before the pool is closed and its jobs fail.
CRASHES_MAX = 3

#: On-demand stands in when Spot has been short, and the oldest task still, for this long. Fargate
#: Spot starts in 1 to 3 minutes (image pull included) when there is capacity; less than that would
#: buy on-demand at every start.
TWIN_AFTER_SECONDS = 300
TWIN_AFTER_SECONDS_MIN = 180

#: A service that nobody knows and that carries our tags is drained and deleted after this. Longer
#: than any planner holds on to an intent; short, because its workers are billed.
SERVICE_EXPIRES_SECONDS = 15 * 60

#: How long ECS's descriptions may be behind its deeds, CreateService included. AWS promises
#: nothing; seconds are usual.
CREATE_GRACE_SECONDS = 60

#: How late a planner's call may reach ECS, whoever holds the lease by then: a call ends with its
#: invocation.
CALL_SECONDS_MAX = 300

#: The period of the tick.
TICK_SECONDS = 60

# --- Handlers --------------------------------------------------------------------------------

#: S3 copies within a region at 2 GB/s and more when many parts are copied at once (AWS Storage
#: Blog, "Copying objects greater than 5 GB": 2 TB within a Lambda's 15 minutes).
COPY_BYTES_PER_SECOND = 2 * 10**9

#: Time-outs of the functions. The completion handler copies outputs, server-side.
DISPATCHER_SECONDS_MAX = 60
COMPLETION_SECONDS_MAX = 300

#: The queues that functions consume hide messages so many time-outs long (Lambda Developer Guide,
#: "Configuring a queue to use with Lambda").
HIDDEN_FACTOR = 6

#: Receives before a message that no function can process is set aside; at least five, so that
#: throttling alone does not do it (same page).
FUNCTION_RECEIVES_MAX = 5

#: Messages a batch, SQS's most without a batching window, which would only add latency.
BATCH_MAX = 10

#: Invocations at once for a queue of work, and for one of letters or events: more would only meet
#: each other in the job table.
WORK_INVOCATIONS_MAX = 4
OTHER_INVOCATIONS_MAX = 2

#: A report that could not be taken now is taken again after these, by how often it was received.
#: One try comes after an invocation that died with the report before it, whose messages stay hidden
#: for six time-outs: else what a worker said of a job would be dead before the job is known.
RETRY_PAUSES_SECONDS = (20, 60, 300, 1800)

#: Tries of a transaction that met another one, each after a jittered pause.
CONFLICT_TRIES_MAX = 8

#: Seconds before a job whose commands may have been lost in a crash is looked at by the tick.
HEAL_SECONDS = 45

#: How long a finished job's rows stay (DynamoDB's TTL).
RECORD_SECONDS = 90 * 24 * 3600

# --- Once more --------------------------------------------------------------------------------

#: Runs of one job. Each is named by the one before, so a request that comes again reads so many
#: heads at most; whoever has tried fifty times needs another recipe.
RUNS_MAX = 50

#: A dead request that is longer is not remembered. A recipe of twenty outputs has 5 KB; a row of
#: DynamoDB holds 400.
KEPT_BYTES_MAX = 64 * 1024

# --- Small objects ----------------------------------------------------------------------------

#: What is read whole into a function's memory: a list of a ladder's 10,800 segments has 2 MB.
READ_BYTES_MAX = 8 * 1024 * 1024

#: A user's preset, read anew for each upload that names it. A recipe of twenty outputs has 5 KB,
#: and a message on a queue, which the recipe becomes a part of, may have 256.
PRESET_BYTES_MAX = 64 * 1024

# --- Rounds over the uploads ------------------------------------------------------------------

#: A round over all uploads begins so often: S3 delivers its events "at least once", and a bucket
#: whose notifications were off for a while delivers none.
RECONCILE_SECONDS = 3600

#: An upload younger than this is left to the next round: S3 says that its events come "usually in
#: seconds, sometimes a minute or longer", and the dispatcher may need a second receive of it.
RECONCILE_GRACE_SECONDS = 900

#: Older uploads are not asked about. Longer than any outage that nobody sees, and than the day for
#: which an upload in parts may be under way (S3 dates it by its beginning); far shorter than
#: records are kept, so that "there is no record" never means "there is none any more".
RECONCILE_LOOKBACK_SECONDS = 7 * 24 * 3600

#: One tick lists so many pages of so many keys (S3's most), and opens so many jobs: a few seconds
#: of work. A million uploads take a round of fifty minutes.
RECONCILE_PAGES_MAX = 20
RECONCILE_PAGE_KEYS = 1000
RECONCILE_TAKEN_MAX = 200

#: Entries of a job's story; the oldest go first.
STORY_MAX = 64

#: Pictures of a storyboard or of thumbnails: a day at one every nine seconds. Each thumbnail is a
#: file to be copied, of which an invocation copies more (10,800 segments of a ladder), and their
#: names have five digits.
PICTURES_MAX = 10_000

#: What a detail may hold of an encoder's last words.
DETAIL_CHARACTERS_MAX = 600

assert len(RETRY_PAUSES_SECONDS) == FUNCTION_RECEIVES_MAX - 1
assert sum(RETRY_PAUSES_SECONDS) > COMPLETION_SECONDS_MAX * HIDDEN_FACTOR
assert max(EARLY_PROGRESS_SECONDS) < HEARTBEAT_SECONDS
assert VISIBILITY_SECONDS > 3 * HEARTBEAT_SECONDS, "two lost heartbeats must not lose the task"
assert POLL_SECONDS < LEAVE_SECONDS < STOP_SECONDS <= 120
assert WORK_SECONDS_MAX <= STOP_SECONDS - LEAVE_SECONDS
assert SIGNER_REUSE_SECONDS + GRANT_SECONDS <= SIGNER_SESSION_SECONDS
assert RENEW_SECONDS > 2 * HEARTBEAT_SECONDS + 3 * TICK_SECONDS
assert SILENCE_SECONDS > VISIBILITY_SECONDS * RECEIVES_MAX
assert ENCODE_SECONDS_MAX + GRANT_SECONDS < HOLD_SECONDS_MAX < 12 * 3600
assert PIECE_BYTES_MIN < PIECE_BYTES < POST_BYTES_MAX < 5 * 1024**3
assert OUTPUT_BYTES_MAX <= 10_000 * PIECE_BYTES
assert OUTPUT_BYTES_MAX < COMPLETION_SECONDS_MAX / 2 * COPY_BYTES_PER_SECOND
assert HOLD_SECONDS_MAX + PROTECTION_RENEW_SECONDS <= PROTECTION_MINUTES * 60 <= 48 * 3600
assert ROWS_PER_TRANSACTION + 1 <= 100
assert CHUNKS_MAX * STOP_SECONDS / 2 <= ATTEMPT_DAYS * 24 * 3600
assert GRANT_SECONDS_MIN < RENEW_SECONDS
assert FINISH_SECONDS_MAX < GRANT_SECONDS - RENEW_SECONDS, "a part waits no longer than its grant"
assert FINISH_SECONDS_MIN <= FINISH_SECONDS <= FINISH_SECONDS_MAX
assert RECONCILE_GRACE_SECONDS > 2 * DISPATCHER_SECONDS_MAX * HIDDEN_FACTOR
assert RECONCILE_GRACE_SECONDS < RECONCILE_SECONDS < RECONCILE_LOOKBACK_SECONDS < RECORD_SECONDS
assert max(DISPATCHER_SECONDS_MAX, COMPLETION_SECONDS_MAX) <= CALL_SECONDS_MAX
assert LEASE_SECONDS < TICK_SECONDS < CALL_SECONDS_MAX + CREATE_GRACE_SECONDS
assert CALL_SECONDS_MAX + CREATE_GRACE_SECONDS + 2 * TICK_SECONDS < SERVICE_EXPIRES_SECONDS
assert TWIN_AFTER_SECONDS_MIN <= TWIN_AFTER_SECONDS < SILENCE_SECONDS
