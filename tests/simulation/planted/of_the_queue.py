"""Bugs 1 to 13 of the catalogue: what goes wrong between workers, their queue and who counts."""

from tests.simulation.planted.bug import Bug

_LOOP = "worker/loop.py"
_HEARTBEAT = "worker/heartbeat.py"

BUGS: tuple[Bug, ...] = (
    Bug(
        number=1,
        title="a worker fetches more than it works on, and the hold on the rest runs out",
        source="kombu#1198",
        changes=(
            (
                _LOOP,
                "self.jobs.receive(wait_seconds=limits.POLL_SECONDS, limit=1)",
                "self.jobs.receive(wait_seconds=limits.POLL_SECONDS, limit=4)",
            ),
            (
                _LOOP,
                """            self.jobs.delete(attempt.message.handle)
        except (HandleLost, Temporary, Gone):""",
                """            self.jobs.delete(attempt.message.handle)
        except (Temporary, Gone):""",
            ),
        ),
    ),
    Bug(
        number=2,
        title="a worker that stops sends anew what comes back by itself: the queue grows",
        source="celery#4002",
        changes=(
            (
                _LOOP,
                """            return self._not_begun(attempt)
""",
                """            self.jobs.send(attempt.message.body.encode())
            return None
""",
            ),
        ),
    ),
    Bug(
        number=3,
        title="a long poll is answered after the stop, and the message stays hidden",
        source="kombu#1819, Shoryuken#677, symfony#45778, "
        "spring-cloud-aws#137, bbc/sqs-consumer#567",
        changes=(
            (
                _LOOP,
                """            return self._not_begun(attempt)
""",
                """            return -1
""",
            ),
        ),
    ),
    Bug(
        number=4,
        title="a worker keeps a task for later for longer than its message is hidden",
        source="celery#3270",
        changes=(
            (
                _LOOP,
                "        heartbeat.start()\n",
                """        if attempt.message.receives > 1:
            self.clock.sleep(limits.VISIBILITY_SECONDS + limits.RETRY_PAUSE_SECONDS)
        heartbeat.start()
""",
            ),
        ),
    ),
    Bug(
        number=5,
        title="nothing prolongs the hold on a message: a long task is done twice",
        source="dramatiq_sqs PR#53 and PR#59, taskiq-aio-sqs#54, bbc/sqs-consumer#218",
        changes=(
            (
                _HEARTBEAT,
                """        self._keep()
        # After the look""",
                """        # After the look""",
            ),
        ),
    ),
    Bug(
        number=6,
        title="a stop cancels who is at work without a word, and one receive is all there is",
        source="misk#3892",
        changes=(
            ("mayfly/core/limits.py", "\nRECEIVES_MAX = 3\n", "\nRECEIVES_MAX = 1\n"),
            (
                _LOOP,
                """                interrupted = self._interrupted(attempt, "spot_interruption")
                # Nobody but this message knows its URLs, so it must not be deleted.
                return 0 if attempt.adopted else interrupted
""",
                "                return 0\n",
            ),
        ),
    ),
    Bug(
        number=7,
        title="the heartbeat goes on beyond the 12 h for which a message may be held",
        source="watchbot#203",
        changes=(
            (
                _HEARTBEAT,
                """\
        if self._clock.monotonic() - self._began > limits.HOLD_SECONDS_MAX:
            self._halt.set(Reason.HELD_TOO_LONG)
""",
                "",
            ),
        ),
    ),
    Bug(
        number=8,
        title="the heartbeat outlives its task and keeps what nobody works on",
        source="heartbeats in a thread that nobody joins",
        changes=(
            (
                _LOOP,
                "        finally:\n            heartbeat.stop()\n",
                "        finally:\n            pass\n",
            ),
        ),
    ),
    Bug(
        number=9,
        title="who has lost a message deletes it all the same, under its new owner",
        source="SQS leaves open what a stale handle deletes; moto deletes",
        changes=(
            (
                _LOOP,
                "            case Reason.LOST:\n                return -1\n",
                "            case Reason.LOST:\n                return None\n",
            ),
        ),
    ),
    Bug(
        number=10,
        title="S3 tells of an upload twice, and two jobs are done",
        source="Amazon S3 User Guide: notifications come at least once",
        nearest="Services are hatched for a pool, never for an upload, so the second notification "
        "cannot hatch one; it opens a second run of the job instead.",
        changes=(
            (
                "mayfly/perform/intake.py",
                """    decision = engine.apply(world, accepted, accepted.job_id, known=(None, None))
""",
                """    decision = engine.apply(world, accepted, accepted.job_id, known=(None, None))
    if not decision.changes or len(decision.changes) < 4:
        again = job_id(accepted.tenant, accepted.source, accepted.recipe, accepted.run + 1)
        accepted = dataclasses.replace(accepted, job_id=again, run=accepted.run + 1)
        decision = engine.apply(world, accepted, again)
""",
            ),
        ),
    ),
    Bug(
        number=11,
        title="a message that is received after it was deleted begins its task anew",
        source="Amazon SQS API Reference, DeleteMessage: possible on rare occasions",
        changes=(
            (
                "mayfly/core/machine.py",
                """\
            e.RenewalWanted: task.done_on_word_of_a_worker,
        },
    ),
}
""",
                """\
            e.RenewalWanted: task.done_on_word_of_a_worker,
        },
    ),
    (_DONE, e.TaskStarted): task.waiting_on_task_started,
}
""",
            ),
        ),
    ),
    Bug(
        number=12,
        title="each of the last two parts sees the other one open, and nobody joins them",
        source="Bento 7.1.3",
        changes=(
            (
                "mayfly/core/of_tasks.py",
                """            commands.CountTasks(job_id=head.job_id),
            commands.ReleaseTasks(pool=task.pool),
""",
                """            *(
                (commands.CountTasks(job_id=head.job_id),) if head.open_tasks == 1 else ()
            ),
            commands.ReleaseTasks(pool=task.pool),
""",
            ),
            (
                "mayfly/core/of_jobs.py",
                """            commands.SeeToPool(pool=head.pool, settled=True),
            commands.CountTasks(job_id=head.job_id),
""",
                """            commands.SeeToPool(pool=head.pool, settled=True),
""",
            ),
        ),
    ),
    Bug(
        number=13,
        title="a part that was stored and never told of is taken for one that was",
        source="everywhere that a commit and its message are two steps",
        nearest="Attempts do not share a place, so the next one cannot find the part; it takes "
        "every message that comes again for one whose part is stored.",
        changes=(
            (
                _LOOP,
                """        if attempt.order.grants.dead(limits.GRANT_SECONDS_MIN):
""",
                """        if attempt.message.receives > 1:
            return None
        if attempt.order.grants.dead(limits.GRANT_SECONDS_MIN):
""",
            ),
        ),
    ),
)
