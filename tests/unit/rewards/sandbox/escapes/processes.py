"""Programs that try to start other processes, or end early."""

from __future__ import annotations

from tests.unit.rewards.sandbox.escapes.escape import DONE, TIME, Escape

PROCESSES = [
    Escape("fork", "tries(lambda: os.fork() or os._exit(0))", control=True),
    Escape("fork_bomb", "while True: os.fork()", DONE),
    Escape(
        "fork_by_number",
        """
tries(lambda: syscall(57, 220, 17, 0, 0, 0, 0), lambda: syscall(56, 220, 17, 0, 0, 0, 0))
""",
    ),
    Escape("vfork_by_number", "if X86: tries(lambda: syscall(58, -1))"),
    Escape(
        "clone3",
        """
arguments = ctypes.create_string_buffer(struct.pack("QQQQQQQQ", 0, 0, 0, 0, 17, 0, 0, 0))
tries(lambda: syscall(435, 435, arguments, 64))
""",
    ),
    Escape(
        "subprocess",
        """
import subprocess
tries(lambda: subprocess.run(["/usr/bin/id"], check=True))
""",
        control=True,
    ),
    Escape("shell", "os.system('echo ESCAPED'); os.popen('echo ESCAPED >&2').read()", control=True),
    Escape("spawn", "tries(lambda: os.posix_spawn('/usr/bin/id', ['id'], {}))", control=True),
    Escape("exec", "os.execv('/bin/echo', ['echo', 'ESCAPED'])", control=True),
    Escape(
        "exec_descriptor",
        """
file = os.open("/bin/echo", os.O_RDONLY)
os.execve(file, ["echo", "ESCAPED"], {})
""",
        control=True,
    ),
    Escape(
        "exec_from_memory",
        """
program = os.memfd_create("program")
os.write(program, open("/bin/echo", "rb").read())
os.execve(program, ["echo", "ESCAPED"], {})
""",
    ),
    Escape(
        "multiprocessing",
        """
import multiprocessing
tries(lambda: multiprocessing.get_context("fork").Process(target=print).start())
""",
    ),
    Escape(
        "survivor",
        """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv("/usr/bin/sleep", ["sleep", "98765"])
""",
        DONE,
    ),
    Escape(
        "thread_bomb",
        """
threading.stack_size(32768)
started = 0
try:
    while started < 5000:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        started += 1
except RuntimeError:
    pass
time.sleep(0.2)
started > 4000 and escaped(started)
os._exit(1)
""",
        DONE,
    ),
    Escape(
        "endless_thread",
        """
def spin():
    while True: pass
threading.Thread(target=spin).start()
""",
        TIME,
    ),
    Escape(
        "endless_exit",
        """
import atexit
def spin():
    while True: pass
atexit.register(spin)
""",
        TIME,
    ),
    Escape("other_session", "tries(os.setsid, lambda: os.setpgid(0, 0))"),
    Escape("outlive_the_server", "tries(lambda: syscall(157, 167, 1, 0, 0, 0, 0))"),
    Escape("early_exit", "os._exit(0)", DONE),
    Escape("early_system_exit", "sys.exit(0)", DONE),
    Escape("crash", "ctypes.string_at(0)", DONE),
    Escape("abort", "os.abort()", DONE),
]
