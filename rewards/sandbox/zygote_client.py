"""The owner's side of one fork server: start it, give it jobs, end it."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

from rewards.sandbox.inside.protocol import (
    HELLO,
    KILL,
    MAX_PACKET,
    End,
    Reply,
    Request,
    Setup,
    Tier,
)
from rewards.sandbox.jail import (
    ENVIRONMENT,
    NOBODY,
    Interpreter,
    bubblewrap_command,
    readable_paths,
    server_archive,
)

START_S = 20.0
"""Longest start of a server."""
GRACE_S = 15.0
"""How much longer than its time limit a job may take, set-up included, before the owner takes
its server for stuck and kills it."""
PIECE = 1 << 16
JOB_FOLDER = "/tmp"
"""The working directory in namespaces."""


class ZygoteError(Exception):
    """A fork server did not start, ended, or is stuck; it must be closed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back from a server for one job."""

    reply: Reply
    stdout: bytes
    stderr: bytes
    overflow: bool
    """Whether there was more output than allowed."""


class Zygote:
    """One running fork server. Not thread-safe."""

    def __init__(self, tier: Tier, interpreter: Interpreter, bubblewrap: str | None) -> None:
        """Start it and wait until it is ready. Raises ZygoteError with the reason."""
        self.num_jobs = 0
        self._tier = tier
        self._user = NOBODY if os.getuid() == 0 else None
        self._folder = JOB_FOLDER if tier is Tier.NAMESPACES else self._make_folder()
        self._control, server_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with (
            server_end,
            memory_file(server_archive()) as archive,
            open(os.pidfd_open(os.getpid()), "rb") as owner,
            tempfile.TemporaryFile() as log,
        ):
            setup = Setup(
                tier=tier,
                folder=self._folder,
                readable=readable_paths(interpreter) if tier is Tier.LANDLOCK else (),
                control_fd=server_end.fileno(),
                owner_fd=owner.fileno(),
            )
            command = [interpreter.program, "-I", "-S", "-X", "utf8", f"/proc/self/fd/{archive}"]
            command.append(setup.encode())
            if bubblewrap is not None:
                jail = bubblewrap_command(bubblewrap, interpreter, self._folder)
                command = [*jail, "--", *command]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd="/",
                env=ENVIRONMENT,
                pass_fds=(archive, server_end.fileno(), owner.fileno()),
                start_new_session=True,
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
            )
            server_end.close()
            self._await_start(log.fileno())

    def _make_folder(self) -> str:
        folder = tempfile.mkdtemp(prefix="sandbox-")
        if self._user is not None:
            os.chown(folder, self._user, self._user)
        return folder

    def _await_start(self, log: int) -> None:
        if select.select([self._control], [], [], START_S)[0]:
            with contextlib.suppress(ConnectionResetError):
                if self._control.recv(MAX_PACKET) == HELLO:
                    return
        self.close()
        lines = os.pread(log, PIECE, 0).decode(errors="replace").strip().splitlines()
        raise ZygoteError(lines[-1] if lines else f"no answer within {START_S:g} s")

    def run(
        self, request: Request, payload: bytes, stdin: bytes, program: int, output_bytes: int
    ) -> Outcome:
        """Run one job to its end. Raises ZygoteError; then nothing is known about the job.

        program: the file descriptor that the request's stage reads or writes.
        """
        self.num_jobs += 1
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(memory_file(data)) for data in (payload, stdin)]
            readers: list[int] = []
            for _ in range(2):
                reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
                os.set_blocking(writer, True)
                stack.callback(os.close, reader)
                readers.append(reader)
                files.append(writer)
            try:
                socket.send_fds(self._control, [request.encode()], [*files, program])
            except OSError as error:
                raise ZygoteError(f"the fork server has ended ({error})") from error
            finally:
                for writer in files[2:]:
                    os.close(writer)
            deadline = time.monotonic() + request.time_s + GRACE_S
            return self._collect(readers, output_bytes, deadline)

    def _collect(self, readers: list[int], output_bytes: int, deadline: float) -> Outcome:
        """Read output until the server replies. Does not wait for the end of the pipes, which
        something may hold open."""
        outputs = {reader: _Output(reader, output_bytes) for reader in readers}
        control = self._control.fileno()
        poll = select.poll()
        for file in (control, *readers):
            poll.register(file, select.POLLIN)
        killed = False
        while True:
            ready = {file for file, _ in poll.poll(max(0.0, 1000 * (deadline - time.monotonic())))}
            if not ready:
                raise ZygoteError("the fork server is stuck")
            for file in ready - {control}:
                if not outputs[file].read():
                    poll.unregister(file)
            if control in ready:
                break
            if not killed and any(each.overflow for each in outputs.values()):
                killed = True
                self._send_kill()
        reply = self._receive_reply()
        for output in outputs.values():
            output.read_the_rest()
        stdout, stderr = (bytes(outputs[reader].content) for reader in readers)
        overflow = any(each.overflow for each in outputs.values())
        return Outcome(reply, stdout, stderr, overflow)

    def _send_kill(self) -> None:
        try:
            self._control.send(KILL)
        except OSError as error:
            raise ZygoteError(f"the fork server has ended ({error})") from error

    def _receive_reply(self) -> Reply:
        try:
            packet = self._control.recv(MAX_PACKET)
        except OSError as error:
            raise ZygoteError(f"the fork server has ended ({error})") from error
        if not packet:
            raise ZygoteError("the fork server has ended")
        reply = Reply.decode(packet)
        if reply.end is End.ERROR:
            raise ZygoteError(reply.detail)
        return reply

    def kill(self) -> None:
        """End the server and everything that it started. A run() in another thread raises."""
        if self._process.poll() is None:
            # It has not been reaped, so that its number still is that of its process group.
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill it and give back what belongs to it."""
        self.kill()
        self._process.wait()
        self._control.close()
        if self._tier is not Tier.NAMESPACES:
            shutil.rmtree(self._folder, ignore_errors=True)


class _Output:
    """One stream of a job, kept up to a limit."""

    def __init__(self, file: int, limit: int) -> None:
        self._file = file
        self._limit = limit
        self.content = bytearray()
        self.overflow = False

    def read(self) -> bool:
        """Take what is there; False when no more can come."""
        piece = os.read(self._file, PIECE)
        room = self._limit - len(self.content)
        self.content += piece[:room]
        self.overflow = self.overflow or len(piece) > room
        return bool(piece)

    def read_the_rest(self) -> None:
        """Take what the pipe still holds, without waiting for more."""
        with contextlib.suppress(BlockingIOError):
            while not self.overflow and self.read():
                pass


@contextlib.contextmanager
def memory_file(content: bytes) -> Iterator[int]:
    """The descriptor of a file in memory, open for reading only."""
    writable = os.memfd_create("sandbox")
    try:
        with open(writable, "wb", closefd=False) as file:
            file.write(content)
        readable = os.open(f"/proc/self/fd/{writable}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(writable)
    try:
        yield readable
    finally:
        os.close(readable)
