"""From a program and its tests to a verdict."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence

from configs.rewards import CodeSettings
from rewards.code.calls import judge_calls
from rewards.code.compare import describe_difference
from rewards.code.replay import judge_module
from rewards.code.running import (
    Failure,
    JobRunner,
    OutOfTime,
    Progress,
    SandboxFailed,
    failure_of,
)
from rewards.code.tasks import CallTest, CodeTask, ModuleTests, OutputTest
from rewards.code.verdicts import CodeVerdict, CodeVerdictKind
from rewards.sandbox.jobs import Job, RunStatus, Sandbox

CACHED_VERDICTS = 10_000


class CodeJudge:
    """Checks programs with a sandbox that the caller owns. Thread-safe: check() blocks, and
    several threads keep several of the sandbox's workers busy."""

    def __init__(self, sandbox: Sandbox, settings: CodeSettings) -> None:
        self._sandbox = sandbox
        self._settings = settings
        self._verdicts: OrderedDict[str, CodeVerdict] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, task: CodeTask) -> CodeVerdict:
        """The verdict; the same program with the same tests is run once. Raises TaskError when
        the tests themselves cannot be run."""
        code = _hash(task.code)
        key = code + _hash(repr((task.language, task.tests, task.limits, task.comparison)))
        with self._lock:
            if key in self._verdicts:
                self._verdicts.move_to_end(key)
                return self._verdicts[key]
        verdict = self._check(task, code)
        if verdict.verdict is not CodeVerdictKind.SANDBOX_ERROR:
            with self._lock:
                self._verdicts[key] = verdict
                if len(self._verdicts) > CACHED_VERDICTS:
                    self._verdicts.popitem(last=False)
        return verdict

    def _check(self, task: CodeTask, seed: str) -> CodeVerdict:
        started = time.monotonic()
        settings = self._settings
        progress = Progress(task.total, all_or_nothing=settings.all_or_nothing)
        runner = JobRunner(self._sandbox, settings.problem_time_limit_s)
        try:
            _run_tests(runner, task, progress, seed)
            failure = progress.failure
        except OutOfTime:
            spent = f"all {settings.problem_time_limit_s:g} s of the problem are used up"
            failure = progress.failure or Failure(CodeVerdictKind.TIME_LIMIT, spent)
        except SandboxFailed as error:
            failure = Failure(CodeVerdictKind.SANDBOX_ERROR, str(error))
        return CodeVerdict(
            verdict=failure.kind if failure else CodeVerdictKind.ACCEPTED,
            passed=progress.passed,
            total=progress.total,
            detail=failure.detail if failure else "",
            seconds=time.monotonic() - started,
        )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _run_tests(runner: JobRunner, task: CodeTask, progress: Progress, seed: str) -> None:
    try:
        task.code.encode()
    except UnicodeEncodeError:
        progress.reject(Failure(CodeVerdictKind.COMPILE_ERROR, "the code is not valid Unicode"))
        return
    if isinstance(task.tests, ModuleTests):
        judge_module(runner, task, task.tests, progress, seed)
        return
    calls = [test for test in task.tests if isinstance(test, CallTest)]
    if calls:
        judge_calls(runner, task, calls, progress, seed)
    else:
        outputs = [test for test in task.tests if isinstance(test, OutputTest)]
        judge_outputs(runner, task, outputs, progress)


def judge_outputs(
    runner: JobRunner, task: CodeTask, tests: Sequence[OutputTest], progress: Progress
) -> None:
    """One job per test."""
    for number, test in enumerate(tests, start=1):
        job = Job(task.code, language=task.language, stdin=test.stdin, limits=task.limits)
        result = runner.run(job)
        failure = failure_of(result)
        if failure is None and not task.comparison.same(test.stdout, result.stdout):
            difference = describe_difference(test.stdout, result.stdout)
            failure = Failure(CodeVerdictKind.WRONG_ANSWER, difference)
        progress.record(failure, number)
        if progress.decided or result.status is RunStatus.COMPILE_ERROR:
            return
