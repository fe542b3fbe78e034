"""Bugs 14 to 26 of the catalogue: what goes wrong with the work, and with the places it lies in."""

from tests.simulation.planted.bug import Bug

BUGS: tuple[Bug, ...] = (
    Bug(
        number=14,
        title="done is said before what was done can be seen",
        source="any queue with a result store beside it",
        nearest="A worker's last word stands behind its last upload in `worker.encode`, which is "
        "not simulated. The same order is kept once more when a job ends: outputs, then outcome.",
        changes=(
            (
                "mayfly/core/of_jobs.py",
                """\
            head_moved(head, event, JobState.PUBLISHING, {"open_tasks": 0}),
            *pool_count(head, event, -1),
        ),
        commands=(
            commands.SeeToPool(pool=head.pool),
""",
                """\
            *job_ends(head, event, JobState.SUCCEEDED),
        ),
        commands=(
            *after_end(head),
""",
            ),
        ),
    ),
    Bug(
        number=15,
        title="a late duplicate of a task calls for workers after its job and service are gone",
        source="every pool that is sized by the depth of its queue",
        changes=(
            (
                "mayfly/perform/sweeping.py",
                """\
    _let_go(queue, message, back=not ended)  # opened since the pool was read
    return False, ()
""",
                """\
    _let_go(queue, message, back=True)
    return True, ()
""",
            ),
        ),
    ),
    Bug(
        number=16,
        title="a service is created under the name of one that is still draining",
        source="ECS: a name is free only when its service is INACTIVE",
        changes=(
            (
                "mayfly/perform/planning.py",
                "naming.service_name(name, world.dice.token()[:10])",
                'naming.service_name(name, "workers")',
            ),
        ),
    ),
    Bug(
        number=17,
        title="an input that kills its workers is given to new ones for ever",
        source="queues whose dead letters are an alarm only",
        changes=(
            (
                "mayfly/core/of_tasks.py",
                'at_work = {"fraction": fraction,',
                'at_work = {"lost": 0, "fraction": fraction,',
            ),
        ),
    ),
    Bug(
        number=18,
        title="parts are joined in the order of their names",
        source="chunked encoders that sort file names",
        changes=(
            (
                "mayfly/perform/joining.py",
                "(_KINDS.index(row.kind), row.number)",
                "(_KINDS.index(row.kind), row.task_id)",
            ),
        ),
    ),
    Bug(
        number=19,
        title="a source that broke off on its way counts as whole",
        source="unmanic#344, and ffmpeg, which exits 0",
        nearest="`worker.fetch` counts bytes; here its stand-in does.",
        changes=(
            (
                "tests/simulation/wires.py",
                "if len(got) < len(found):",
                "if not got:",
            ),
        ),
    ),
    Bug(
        number=20,
        title="what ffmpeg had when it was told to stop is stored as the output",
        source="ffmpeg closes its files at SIGTERM and exits as if all were well",
        nearest="ffmpeg runs in a process group of its own (`worker.run`), where no signal to its "
        "worker reaches it; so does its stand-in. Here the signal reaches it, and work that fits "
        "into the notice goes on with what there is.",
        changes=(("tests/simulation/work.py", "_HEARS_SIGNALS = False", "_HEARS_SIGNALS = True"),),
    ),
    Bug(
        number=21,
        title="signed URLs die in the middle of a long task, each time anew",
        source="workers that are given all their URLs when they begin",
        nearest="New grants come by the control object; here they are read, and not kept.",
        changes=(
            (
                "worker/heartbeat.py",
                "if order.grants is not None and self._grants.renew(order.grants):",
                "if order.grants is not None and order.grants.grants_end_at < 0:",
            ),
        ),
    ),
    Bug(
        number=22,
        title="one message of a batch fails, and all of it is taken for done",
        source="Lambda without ReportBatchItemFailures",
        nearest="The answer of our handlers is that of Powertools; here its stand-in's.",
        changes=(
            (
                "tests/simulation/lambdas.py",
                "for message in done if well else ():",
                "for message in batch if well else ():",
            ),
        ),
    ),
    Bug(
        number=23,
        title="a worker's clock decides when something was",
        source="everybody who compares the clocks of two machines",
        changes=(
            (
                "mayfly/perform/reporting.py",
                "event = event_of(report, at)",
                "event = event_of(report, report.at)",
            ),
        ),
    ),
    Bug(
        number=24,
        title="a source that was replaced while its job ran is taken for the one that was asked of",
        source="pipelines that name an object by its key alone",
        changes=(
            (
                "mayfly/perform/signing.py",
                "source.bucket, source.key, etag=source.etag, version_id=source.version_id",
                "source.bucket, source.key",
            ),
        ),
    ),
    Bug(
        number=25,
        title="what attempts leave behind is billed for ever",
        source="abandoned multipart uploads, which no listing shows",
        nearest="A form stores whole objects, so there are none; but what attempts stored must lie "
        "where the bucket's rule lets go of it.",
        changes=(
            (
                "mayfly/core/naming.py",
                'return f"{WORK}{job_id}/"',
                'return f"parts/{job_id}/"',
            ),
        ),
    ),
    Bug(
        number=26,
        title="Spot has no machine, and nobody ever stands in for it",
        source="AWS never falls back from FARGATE_SPOT to FARGATE",
        changes=(
            (
                "mayfly/core/pool.py",
                "since = now if row.short_since is None else row.short_since",
                "since = now",
            ),
        ),
    ),
)
