"""Programs that try to signal, trace or slow down other processes, and ignore signals."""

from __future__ import annotations

from tests.unit.rewards.sandbox.escapes.escape import DONE, TIME, Escape

SIGNALS = [
    Escape("kill_parent", "tries(lambda: os.getppid() > 0 and os.kill(os.getppid(), 9) or 1/0)"),
    Escape("kill_victim", "tries(lambda: os.kill(W['victim'], 9))"),
    Escape("kill_owner", "tries(lambda: os.kill(W['owner'], 9))"),
    Escape("kill_all", "tries(lambda: os.kill(-1, 9))"),
    Escape("kill_group", "tries(lambda: os.kill(0, 9), lambda: os.killpg(os.getpgid(0), 9))"),
    Escape(
        "kill_thread",
        """
tries(lambda: syscall(200, 130, W["victim"], 9),
      lambda: syscall(234, 131, W["victim"], W["victim"], 9))
""",
    ),
    Escape(
        "queue_signal",
        """
info = ctypes.create_string_buffer(struct.pack("iii", 9, 0, -1) + bytes(128))
tries(lambda: syscall(129, 138, W["victim"], 9, info),
      lambda: syscall(297, 240, W["victim"], W["victim"], 9, info))
""",
    ),
    Escape(
        "process_descriptor",
        """
tries(lambda: os.pidfd_open(W["victim"]), lambda: os.pidfd_open(os.getppid() or 1),
      lambda: syscall(438, 438, 0, 0, 0))
""",
    ),
    Escape(
        "signal_by_pipe",
        """
reader, writer = os.pipe()
tries(lambda: fcntl.fcntl(reader, fcntl.F_SETOWN, W["victim"]),
      lambda: fcntl.fcntl(reader, 10, 9),
      lambda: fcntl.fcntl(reader, 15, struct.pack("ii", 1, W["victim"])))
fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC)
os.write(writer, b"x")
""",
    ),
    Escape(
        "limits_of_others",
        """
tries(lambda: resource.prlimit(W["victim"], resource.RLIMIT_CPU, (0, 0)),
      lambda: resource.prlimit(W["owner"], resource.RLIMIT_NOFILE, (0, 0)))
""",
    ),
    Escape(
        "priority_of_others",
        """
tries(lambda: os.setpriority(os.PRIO_USER, os.getuid(), 19),
      lambda: os.setpriority(os.PRIO_PROCESS, W["victim"], 19),
      lambda: os.sched_setaffinity(W["victim"], {0}),
      lambda: syscall(251, 30, 3, os.getuid(), 0x6000))
""",
    ),
    Escape(
        "trace",
        """
for pid in (W["victim"], os.getppid(), W["owner"]):
    tries(lambda: syscall(101, 117, 16, pid, 0, 0), lambda: syscall(101, 117, 0x4206, pid, 0, 0))
""",
    ),
    Escape(
        "memory_of_others",
        """
buffer = ctypes.create_string_buffer(8)
here = ctypes.create_string_buffer(struct.pack("QQ", ctypes.addressof(buffer), 8))
there = ctypes.create_string_buffer(struct.pack("QQ", id(None), 8))
for pid in (W["victim"], os.getppid(), W["owner"]):
    tries(lambda: syscall(310, 270, pid, here, 1, there, 1, 0),
          lambda: syscall(312, 272, os.getpid(), pid, 0, 0, 0))
""",
    ),
    Escape(
        "ignored_signals",
        """
for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
    try:
        signal.signal(number, signal.SIG_IGN)
    except OSError:
        pass
while True: pass
""",
        TIME,
    ),
    Escape(
        "blocked_signals",
        """
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
while True: time.sleep(1)
""",
        TIME,
    ),
    Escape(
        "cancelled_alarms",
        """
signal.alarm(0)
for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
    signal.setitimer(timer, 0)
while True: pass
""",
        TIME,
    ),
    Escape("stopped", "os.kill(os.getpid(), signal.SIGSTOP); time.sleep(1000)", TIME),
    Escape("kill_itself", "os.kill(os.getpid(), signal.SIGKILL); os._exit(0)", DONE),
]
