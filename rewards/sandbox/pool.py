"""The pool of fork servers that run jobs.

consumes: Jobs, from any thread          produces: RunResults
waits for: a free server                 unblocked by: the end of another job, or close()
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections import OrderedDict
from pathlib import PurePosixPath
from types import TracebackType
from typing import Self

from configs.errors import UserError
from configs.rewards import SandboxSettings
from rewards.sandbox.inside.protocol import End, Request, Stage, pack
from rewards.sandbox.jobs import Job, Limits, RunResult, RunStatus
from rewards.sandbox.languages import EMPTY_PROGRAM, LANGUAGES, Language
from rewards.sandbox.tiers import Tier, choose_machine
from rewards.sandbox.verdicts import run_result
from rewards.sandbox.zygote_client import Outcome, Zygote, ZygoteError, memory_file

LOGGER = logging.getLogger(__name__)
JOBS_PER_SERVER = 1000
"""A server is replaced after so many jobs."""
ATTEMPTS = 2
"""Tries of a job whose server fails."""
KEPT_PROGRAMS = 32
"""Compiled programs kept, because the tests of one problem run the same one."""
MAX_FILES, MAX_FILE_BYTES = 1000, 32 << 20
"""Of a job; half of what its working directory holds."""
COMPILE_TIME_S, COMPILE_MEMORY_MIB = 20.0, 1024
"""What a compiler may use at least, even when the program may use less."""


DEFAULTS = SandboxSettings()


class SandboxPool:
    """Runs jobs in this machine's jail; settings.workers at a time. Thread-safe: run() blocks
    while all workers are busy."""

    tier: Tier
    """The isolation in use."""

    def __init__(self, settings: SandboxSettings = DEFAULTS) -> None:
        """Find out what works here. Raises UserError when nothing that is allowed does."""
        self._machine = choose_machine(settings)
        self.tier = self._machine.tier
        self._num_workers = settings.workers
        self._servers: queue.SimpleQueue[Zygote | None] = queue.SimpleQueue()
        """One entry per idle worker; None: to be started by who needs it."""
        for _ in range(settings.workers):
            self._servers.put(None)
        self._busy: set[Zygote] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._programs: OrderedDict[tuple[object, ...], bytes | RunResult] = OrderedDict()
        self._working_languages = {"python"}

    def run(self, job: Job) -> RunResult:
        """Run one job to its end, whatever it does. Raises UserError for an unknown language, a
        file outside the working directory, or a language that has no compiler here."""
        language = _language(job)
        _check_files(job, language)
        if not language.command:
            request = Request(Stage.PYTHON, job.limits.time_s, job.limits.memory_mib)
            return self._run(request, job, b"")
        if job.language not in self._working_languages:
            self._try_compiler(job.language, language)
        program = self._compile(job, language)
        if isinstance(program, RunResult):
            return program
        request = Request(Stage.NATIVE, job.limits.time_s, job.limits.memory_mib)
        return self._run(request, job, program)

    def close(self) -> None:
        """End all workers; waits until they are gone. Running jobs end as SANDBOX_ERROR."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for server in self._busy:
                server.kill()
        for _ in range(self._num_workers):
            server = self._servers.get()
            if server is not None:
                server.close()
        # Who waits in run() takes this, and puts it back for the next.
        self._servers.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, request: Request, job: Job, program: bytes) -> RunResult:
        source = job.source.encode(errors="surrogatepass") if request.stage is Stage.PYTHON else b""
        payload = pack(source, job.files)
        with memory_file(program) as file:
            outcome = self._serve(request, payload, job.stdin, file, job.limits.output_bytes)
        return run_result(outcome, job.limits)

    def _serve(
        self, request: Request, payload: bytes, stdin: bytes, program: int, output_bytes: int
    ) -> Outcome | ZygoteError:
        """What came back for a request, or what went wrong with the last server that had it."""
        failure = ZygoteError("the pool is closed")
        for _ in range(ATTEMPTS):
            server = self._servers.get()
            outcome = None
            try:
                server = self._take(server)
                outcome = server.run(request, payload, stdin, program, output_bytes)
                return outcome
            except ZygoteError as error:
                if self._closed:
                    return error
                LOGGER.warning("sandbox: a fork server failed and is replaced: %s", error)
                failure = error
            finally:
                self._give_back(server, healthy=outcome is not None and _clean(request, outcome))
        return failure

    def _take(self, server: Zygote | None) -> Zygote:
        """Make an idle worker a busy one, with a server that is running."""
        with self._lock:
            if self._closed:
                raise ZygoteError("the pool is closed")
        server = server or self._machine.start()
        with self._lock:
            self._busy.add(server)
            if self._closed:
                server.kill()
        return server

    def _give_back(self, server: Zygote | None, *, healthy: bool) -> None:
        with self._lock:
            if server is not None:
                self._busy.discard(server)
        if server is not None and (not healthy or server.num_jobs >= JOBS_PER_SERVER):
            server.close()
            server = None
        self._servers.put(server)

    def _compile(self, job: Job, language: Language) -> bytes | RunResult:
        """The program that a compiler made of the job's source, or how that failed."""
        key = (job.language, job.source, tuple(sorted(job.files.items())))
        with self._lock:
            if key in self._programs:
                self._programs.move_to_end(key)
                return self._programs[key]
        program = self._compile_now(job, language)
        if isinstance(program, bytes) or program.status is RunStatus.COMPILE_ERROR:
            with self._lock:
                self._programs[key] = program
                while len(self._programs) > KEPT_PROGRAMS:
                    self._programs.popitem(last=False)
        return program

    def _compile_now(self, job: Job, language: Language) -> bytes | RunResult:
        limits = Limits(
            time_s=max(job.limits.time_s, COMPILE_TIME_S),
            memory_mib=max(job.limits.memory_mib, COMPILE_MEMORY_MIB),
            output_bytes=job.limits.output_bytes,
        )
        request = Request(Stage.COMPILE, limits.time_s, limits.memory_mib, language.command)
        source = job.source.encode(errors="surrogatepass")
        payload = pack(b"", {**job.files, language.source_name: source})
        with open(os.memfd_create("program"), "r+b") as program:
            outcome = self._serve(request, payload, b"", program.fileno(), limits.output_bytes)
            result = run_result(outcome, limits)
            if result.status is RunStatus.SANDBOX_ERROR:
                return result
            if result.status is RunStatus.FINISHED and result.exit_code == 0:
                program.seek(0)
                return program.read()
        detail = "" if result.status is RunStatus.FINISHED else f"compiler: {result.status}"
        return RunResult(
            RunStatus.COMPILE_ERROR,
            result.exit_code,
            result.stdout,
            result.stderr,
            result.seconds,
            detail,
        )

    def _try_compiler(self, name: str, language: Language) -> None:
        """Raises UserError when a language's compiler does not work in the jail."""
        result = self._compile_now(Job(EMPTY_PROGRAM, language=name), language)
        if isinstance(result, RunResult) and result.status is RunStatus.COMPILE_ERROR:
            lines = result.stderr.decode(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else result.detail or f"exit code {result.exit_code}"
            raise UserError(
                f"language={name}: {' '.join(language.command)} fails on an empty program "
                f"({reason}); install the compiler and the static C and C++ libraries"
            )
        if isinstance(result, bytes):
            self._working_languages.add(name)


def _clean(request: Request, outcome: Outcome) -> bool:
    """Whether a server can go on: a compiler that was stopped may have left children."""
    return outcome.reply.end is End.EXIT or request.stage is not Stage.COMPILE


def _language(job: Job) -> Language:
    language = LANGUAGES.get(job.language)
    if language is None:
        raise UserError(f"language={job.language}: must be one of {', '.join(LANGUAGES)}")
    return language


def _check_files(job: Job, language: Language) -> None:
    """Raises UserError for a name that is not a plain relative path of the working directory, or
    for more than fits there."""
    size = sum(map(len, job.files.values()))
    if len(job.files) > MAX_FILES or size > MAX_FILE_BYTES:
        raise UserError(
            f"files: {len(job.files)} of {size} bytes; at most {MAX_FILES} of together "
            f"{MAX_FILE_BYTES} bytes; give large inputs on stdin"
        )
    folders = {".", *(str(each) for name in job.files for each in PurePosixPath(name).parents)}
    for name in job.files:
        path = PurePosixPath(name)
        plain = str(path) == name and not path.is_absolute() and ".." not in path.parts
        short = len(path.parts) <= 8 and len(name) <= 200 and name.isprintable()
        if not plain or not short or name in folders:
            raise UserError(
                f"files: {name!r} must be a relative path of printable characters, without '..', "
                "of at most 8 parts and 200 characters, and not a folder of another file"
            )
        if language.command and name.partition("/")[0] in (language.source_name, "main"):
            raise UserError(f"files: {name!r} is the program's own name; choose another one")
