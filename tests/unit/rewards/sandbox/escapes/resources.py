"""Programs that try to use up time, memory, disk or output, and break the interpreter."""

from __future__ import annotations

from tests.unit.rewards.sandbox.escapes.escape import DONE, MEMORY, OUTPUT, TIME, Escape

RESOURCES = [
    Escape("sleep", "time.sleep(1000)", TIME),
    Escape("big_power", "9 ** 9 ** 9 ** 9", None),
    Escape("long_multiplication", "x = 7 ** 10 ** 6\nwhile True: x *= x", TIME),
    Escape("backtracking", "re.match('(a+)+$', 'a' * 64 + 'b')", TIME),
    Escape("memory", "kept = []\nwhile True: kept.append(bytearray(1 << 24))", MEMORY),
    Escape("memory_at_once", "[0] * 10 ** 11", MEMORY),
    Escape(
        "mapped_memory",
        """
kept = []
try:
    while len(kept) < 64:
        kept.append(mmap.mmap(-1, 1 << 26)); kept[-1].write(b"x")
except OSError:
    os._exit(1)
escaped("4 GiB")
""",
        DONE,
    ),
    Escape(
        "memory_files", "tries(lambda: os.memfd_create('x'), lambda: syscall(319, 279, b'x', 0))"
    ),
    Escape(
        "shared_memory",
        """
tries(lambda: syscall(29, 194, 0, ctypes.c_size_t(1 << 26), 0o1600),
      lambda: syscall(68, 186, 0, 0o1600), lambda: syscall(64, 190, 0, 1, 0o1600))
""",
    ),
    Escape(
        "raised_limits",
        """
for limit in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NOFILE,
              resource.RLIMIT_FSIZE):
    tries(lambda: resource.setrlimit(limit, (resource.RLIM_INFINITY,) * 2),
          lambda: resource.prlimit(0, limit, (resource.RLIM_INFINITY,) * 2))
""",
    ),
    Escape("locked_memory", "tries(lambda: LIBC.mlockall(3) == 0 or 1 / 0)"),
    Escape(
        "full_disk",
        """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
total = 0
try:
    for number in range(20):
        with open(f"file{number}", "wb") as file:
            for _ in range(10):
                total += file.write(bytes(1 << 20))
except OSError:
    pass
total > 100 << 20 and escaped(total)
""",
    ),
    Escape(
        "big_file",
        """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def grow():
    with open("file", "wb") as file:
        file.truncate(1 << 40)
tries(grow, lambda: os.posix_fallocate(os.open("file2", os.O_CREAT | os.O_RDWR), 0, 1 << 30))
""",
    ),
    Escape(
        "many_files",
        """
number = 0
try:
    while number < 20000:
        os.mkdir(f"d{number}"); number += 1
except OSError:
    pass
number > 5000 and escaped(number)
""",
    ),
    Escape(
        "deep_folders",
        """
try:
    for _ in range(3500):
        os.mkdir("d" * 200); os.chdir("d" * 200)
except OSError:
    pass
""",
    ),
    Escape(
        "closed_folders",
        """
try:
    os.makedirs("a/b/c"); os.chmod("a/b/c", 0); os.chmod("a/b", 0); os.chmod("a", 0)
except OSError:
    pass
""",
    ),
    Escape(
        "odd_names",
        """
try:
    for name in (b"\\xff\\xfe", b"-rf", b"new\\nline", b"x" * 255):
        os.mkdir(name)
except OSError:
    pass
""",
    ),
    Escape(
        "many_descriptors",
        """
kept = []
try:
    while len(kept) < 2000:
        kept.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
len(kept) > 100 and escaped(len(kept))
""",
    ),
    Escape(
        "full_pipes",
        """
total = 0
try:
    for _ in range(1000):
        reader, writer = os.pipe()
        try:
            fcntl.fcntl(writer, 1031, 1 << 20)
        except OSError:
            pass
        os.set_blocking(writer, False)
        try:
            while True: total += os.write(writer, bytes(65536))
        except BlockingIOError:
            pass
except OSError:
    pass
total > 16 << 20 and escaped(total)
""",
    ),
    Escape("endless_output", "while True: print('x' * 1000)", OUTPUT),
    Escape("endless_errors", "while True: print('x' * 1000, file=sys.stderr)", OUTPUT),
    Escape("one_big_write", "print('x' * (50 << 20))", OUTPUT),
    Escape(
        "output_past_errors",
        """
while True:
    try:
        os.write(1, bytes(65536))
    except BaseException:
        pass
""",
        OUTPUT,
    ),
    Escape("closed_output", "os.closerange(0, 10)\ntime.sleep(1000)", TIME),
    Escape("copied_output", "kept = [os.dup(1) for _ in range(20)]\nos._exit(0)", DONE),
    Escape(
        "deep_recursion",
        """
sys.setrecursionlimit(10 ** 9)
def down(x): return [down(x)]
sorted([1], key=down)
""",
    ),
    Escape("deep_source", "compile('(' * 10 ** 6, 'x', 'eval')"),
    Escape("recursive_repr", "x = []\nfor _ in range(10 ** 6): x = [x]\nrepr(x)"),
    Escape(
        "endless_garbage",
        """
class Again:
    def __del__(self): Again()
Again()
""",
        TIME,
    ),
    Escape(
        "broken_builtins",
        """
import builtins
for name in list(vars(builtins)):
    if not name.startswith("__"):
        setattr(builtins, name, None)
os._exit = os.write = os.close = None
sys.modules.clear()
""",
    ),
    Escape("broken_streams", "sys.stdout = sys.stderr = sys.stdin = None\nraise ValueError"),
    Escape(
        "broken_exceptions",
        """
class Odd(BaseException):
    def __str__(self): raise Odd
    __repr__ = __str__
raise Odd
""",
    ),
]
