"""Hostile programs, as data. A program that gets through prints ESCAPED.

What they aim at comes in on stdin as JSON (see attack.World): a secret file, a folder that anyone
may write to, a process of the same user, open ports. `control` marks those that do escape from a
process without a jail, and are safe to try: with tier "none" they show that the attack is real.
"""

from __future__ import annotations

from dataclasses import dataclass

from rewards.sandbox.jobs import RunStatus

TIME, MEMORY, OUTPUT, DONE = (
    RunStatus.TIME_LIMIT,
    RunStatus.MEMORY_LIMIT,
    RunStatus.OUTPUT_LIMIT,
    RunStatus.FINISHED,
)

PRELUDE = """
import ctypes, fcntl, gc, json, mmap, os, platform, re, resource, signal, socket, struct, sys
import threading, time
W = json.load(sys.stdin)
LIBC = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"
def escaped(*what):
    print("ESCAPED", *what, flush=True)
def tries(*actions):
    for number, action in enumerate(actions):
        try:
            result = action()
        except Exception:
            continue
        escaped(number, repr(result)[:100])
def syscall(x86_64, aarch64, *arguments):
    result = LIBC.syscall(ctypes.c_long(x86_64 if X86 else aarch64), *arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return result
"""


@dataclass(frozen=True, slots=True)
class Escape:
    """One attempt. status: how the run must end; None: in any way but SANDBOX_ERROR."""

    name: str
    code: str
    status: RunStatus | None = None
    control: bool = False


READING = [
    Escape("read_secret", "tries(lambda: open(W['secret']).read())", control=True),
    Escape(
        "read_upwards", "tries(lambda: open('../' * 30 + W['secret'][1:]).read())", control=True
    ),
    Escape("read_accounts", "tries(lambda: open('/etc/passwd').read())", control=True),
    Escape(
        "list_outside",
        """
for path in ("/", "/home", "/root", "/var", "/etc", W["folder"], os.path.dirname(W["secret"])):
    try:
        names = os.listdir(path)
    except OSError:
        continue
    if path != "/" or set(names) - {"bin", "dev", "lib", "lib32", "lib64", "proc", "tmp", "usr"}:
        names and escaped(path, names[:5])
""",
        control=True,
    ),
    Escape(
        "find_secret_by_walking",
        """
for top in ("/tmp", "/var", "/home", "/opt", "/srv", "/mnt", "/dev", "/run", "/work"):
    for folder, _, names in os.walk(top):
        if os.path.basename(W["secret"]) in names:
            escaped(folder)
""",
        control=True,
    ),
    Escape(
        "read_parents_environment",
        """
for pid in (1, os.getppid(), W["owner"]):
    tries(lambda: open(f"/proc/{pid}/environ", "rb").read(),
          lambda: open(f"/proc/{pid}/cmdline", "rb").read())
""",
        control=True,
    ),
    Escape(
        "read_parents_memory",
        """
for pid in (1, os.getppid(), W["owner"], W["victim"]):
    tries(lambda: open(f"/proc/{pid}/mem", "rb").close(),
          lambda: open(f"/proc/{pid}/maps", "rb").read(10))
""",
    ),
    Escape(
        "roots_of_processes",
        """
tries(lambda: os.listdir("/proc/self/root/etc"), lambda: os.listdir("/proc/1/root"),
      lambda: os.listdir(f"/proc/{W['victim']}/cwd"), lambda: os.listdir("/proc/self/fd"))
""",
        control=True,
    ),
    Escape(
        "symlink_to_secret",
        """
tries(lambda: (os.symlink(W["secret"], "link"), open("link").read()))
""",
        control=True,
    ),
    Escape(
        "symlinked_folder",
        """
tries(lambda: (os.symlink("/etc", "etc"), os.listdir("etc")))
""",
        control=True,
    ),
    Escape("link_to_secret", "tries(lambda: os.link(W['secret'], 'link'))"),
    Escape(
        "inherited_descriptors",
        """
for number in range(3, 1024):
    tries(lambda: os.fstat(number))
""",
    ),
    Escape(
        "environment_secret",
        """
environ = ctypes.POINTER(ctypes.c_char_p).in_dll(LIBC, "environ")
i, entries = 0, []
while environ[i]:
    entries.append(environ[i]); i += 1
if any(W["word"].encode() in entry for entry in entries) or W["word"] in str(os.environ):
    escaped(entries)
""",
    ),
    Escape(
        "frames_to_the_server",
        """
frame, seen = sys._getframe(), []
while frame:
    seen.append(repr(frame.f_locals) + repr(frame.f_globals)); frame = frame.f_back
if any(W["word"] in text.replace(repr(W["word"]), "") and "expected" in text for text in seen):
    escaped("an expected output")
""",
    ),
    Escape(
        "sockets_of_the_server",
        """
for thing in gc.get_objects():
    if isinstance(thing, socket.socket):
        tries(lambda: thing.send(b'{"end": "exit", "exit_code": 0}'))
for number in range(3, 200):
    tries(lambda: os.write(number, b"{}"))
""",
    ),
    Escape(
        "file_handles",
        """
handle = ctypes.create_string_buffer(struct.pack("II", 8, 1) + bytes(128))
tries(lambda: syscall(303, 264, -100, b"/", handle, ctypes.byref(ctypes.c_int()), 0),
      lambda: syscall(304, 265, 0, handle, 0))
""",
    ),
    Escape(
        "installed_packages",
        """
for path in list(sys.path) + ["/usr/lib/python3", "/usr/local/lib"]:
    for name in ("site-packages", "dist-packages"):
        try:
            found = os.listdir(f"{path}/{name}")
        except OSError:
            continue
        found and escaped(path, found[:3])
try:
    import pydantic
    escaped("pydantic")
except ImportError:
    pass
""",
    ),
]

WRITING = [
    Escape(
        "write_outside",
        """
tries(lambda: open(W["folder"] + "/escaped", "w").write("x"),
      lambda: os.open(W["folder"], os.O_TMPFILE | os.O_RDWR))
""",
        control=True,
    ),
    Escape(
        "write_shared_memory",
        """
for folder in ("/dev/shm", "/var/tmp", "/run/lock", "/dev", "/usr/lib", "/proc", "/"):
    tries(lambda: open(folder + "/" + W["name"], "w").write("x"))
""",
    ),
    Escape(
        "leave_in_tmp",
        """
try:
    open("/tmp/" + W["name"], "w").write("x")
except OSError:
    pass
""",
    ),
    Escape("append_to_secret", "tries(lambda: open(W['secret'], 'a').write('x'))", control=True),
    Escape("delete_secret", "tries(lambda: os.remove(W['secret']))"),
    Escape("rename_secret", "tries(lambda: os.rename(W['secret'], W['secret'] + '2'))"),
    Escape(
        "truncate_secret",
        """
tries(lambda: os.truncate(W["secret"], 0), lambda: open(W["secret"], "r+").truncate(0))
""",
    ),
    Escape("change_mode", "tries(lambda: os.chmod(W['secret'], 0))", control=True),
    Escape(
        "change_owner",
        "tries(lambda: os.chown(W['secret'], os.getuid(), os.getgid()))",
        control=True,
    ),
    Escape("change_times", "tries(lambda: os.utime(W['secret'], (0, 0)))", control=True),
    Escape("set_attribute", "tries(lambda: os.setxattr(W['secret'], 'user.x', b'x'))"),
    Escape("make_folder", "tries(lambda: os.mkdir(W['folder'] + '/escaped-folder'))"),
    Escape(
        "change_standard_library",
        """
tries(lambda: open(os.__file__, "a"), lambda: open(os.path.dirname(os.__file__) + "/x.py", "w"),
      lambda: os.remove(os.__file__), lambda: os.chmod(os.__file__, 0o777))
""",
    ),
    Escape(
        "make_device",
        """
import stat
tries(lambda: (os.mknod("disk", stat.S_IFBLK | 0o600, os.makedev(254, 0)), open("disk", "rb")),
      lambda: (os.mknod("mem", stat.S_IFCHR | 0o600, os.makedev(1, 1)), open("mem", "rb")))
""",
    ),
    Escape(
        "lease_and_notify",
        """
tries(lambda: fcntl.fcntl(os.open(os.__file__, os.O_RDONLY), 1024, fcntl.F_RDLCK),
      lambda: syscall(300, 262, 0, 0))
""",
    ),
]

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

RESOURCES = [
    Escape("sleep", "time.sleep(1000)", TIME),
    Escape("big_power", "9 ** 9 ** 9 ** 9", None),
    Escape("long_multiplication", "x = 7 ** 10 ** 6\nwhile True: x *= x", None),
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
        None,
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

NETWORK = [
    Escape(
        "tcp", "tries(lambda: socket.create_connection(('127.0.0.1', W['port']), 1))", control=True
    ),
    Escape(
        "tcp6", "tries(lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM))", control=True
    ),
    Escape(
        "udp",
        """
tries(lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)))
""",
        control=True,
    ),
    Escape("serve", "tries(lambda: socket.create_server(('127.0.0.1', 0)))", control=True),
    Escape(
        "names", "tries(lambda: socket.getaddrinfo('localhost', 80, type=socket.SOCK_RAW) and 1/0)"
    ),
    Escape(
        "abstract_socket",
        """
tries(lambda: socket.socket(socket.AF_UNIX).connect(chr(0) + W["abstract"]))
""",
        control=True,
    ),
    Escape(
        "abstract_datagram",
        """
first, second = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
tries(lambda: first.sendto(b"x", chr(0) + W["abstract"] + "-datagram"))
""",
    ),
    Escape(
        "stream_with_address",
        """
first, second = socket.socketpair()
tries(lambda: first.sendto(b"x", chr(0) + W["abstract"] + "-datagram"),
      lambda: first.connect(chr(0) + W["abstract"]), lambda: first.bind(chr(0) + W["name"]),
      lambda: first.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, bytes(4))]))
""",
    ),
    Escape(
        "socket_file",
        """
tries(lambda: socket.socket(socket.AF_UNIX).connect(W["folder"] + "/socket"))
""",
        control=True,
    ),
    Escape(
        "netlink",
        "tries(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))",
        control=True,
    ),
    Escape("raw_packets", "tries(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3))"),
    Escape("vsock", "tries(lambda: socket.socket(40, socket.SOCK_STREAM))"),
    Escape(
        "ring",
        """
tries(lambda: syscall(425, 425, 1, ctypes.create_string_buffer(256)))
""",
    ),
]

PRIVILEGES = [
    Escape(
        "become_root",
        """
tries(lambda: os.setuid(0), lambda: os.seteuid(0), lambda: os.setresuid(0, 0, 0),
      lambda: os.setgid(0), lambda: os.setgroups([0]))
os.getuid() == 0 and escaped("root")
""",
    ),
    Escape(
        "capabilities",
        """
header = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0))
data = ctypes.create_string_buffer(24)
syscall(125, 90, header, data)
any(data.raw[:8]) and escaped(data.raw)
full = ctypes.create_string_buffer(b"\\xff" * 24)
tries(lambda: syscall(126, 91, header, full))
""",
    ),
    Escape(
        "new_user_namespace",
        """
for kind in (0x10000000, 0x20000000, 0x00020000, 0x08000000, 0x40000000, 0x04000000):
    tries(lambda: syscall(272, 97, kind))
""",
        control=True,
    ),
    Escape(
        "namespace_by_clone",
        """
for kind in (0x10000000, 0x40000000, 0x00020000):
    tries(lambda: syscall(56, 220, kind | 17, 0, 0, 0, 0))
""",
    ),
    Escape(
        "join_namespace",
        """
tries(lambda: syscall(308, 268, os.open("/proc/1/ns/net", os.O_RDONLY), 0),
      lambda: syscall(308, 268, 0, 0))
""",
    ),
    Escape(
        "mount",
        """
tries(lambda: syscall(165, 40, b"none", b"/tmp", b"tmpfs", 0, 0),
      lambda: syscall(165, 40, b"none", b"/", None, 32 | 4096, 0),
      lambda: syscall(428, 428, -100, b"/", 0), lambda: syscall(430, 430, b"tmpfs", 0))
""",
    ),
    Escape(
        "unmount",
        """
for path in (b"/proc", b"/tmp", b"/usr/lib", b"/"):
    tries(lambda: syscall(166, 39, path, 2))
""",
    ),
    Escape(
        "change_root",
        """
tries(lambda: os.chroot("."), lambda: syscall(155, 41, b".", b"."))
""",
    ),
    Escape(
        "keys",
        """
tries(lambda: syscall(250, 219, 0, -3, 1), lambda: syscall(248, 217, b"user", b"x", b"x", 1, -3))
""",
    ),
    Escape(
        "kernel_programs",
        """
block = ctypes.create_string_buffer(256)
tries(lambda: syscall(321, 280, 0, block, 128), lambda: syscall(298, 241, block, 0, -1, -1, 0),
      lambda: syscall(323, 282, 1))
""",
    ),
    Escape(
        "kernel_modules",
        """
tries(lambda: syscall(175, 105, b"x", 1, b""), lambda: syscall(313, 273, 0, b"", 0),
      lambda: syscall(246, 104, 0, 0, 0, 0))
""",
    ),
    Escape(
        "the_machine",
        """
tries(lambda: syscall(170, 161, b"x", 1), lambda: syscall(169, 142, 0, 0, 0, 0),
      lambda: syscall(167, 224, b"x", 0), lambda: syscall(227, 112, 0, bytes(16)),
      lambda: syscall(103, 116, 3, ctypes.create_string_buffer(9), 9),
      lambda: syscall(135, 92, 0x40000))
""",
    ),
    Escape(
        "old_system_calls",
        """
if X86:
    # mov eax, 2 (fork for 32-bit programs); int 0x80; ret
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("b802000000cd80c3"))
    run = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    run() >= 0 and escaped("fork")
""",
        DONE,
    ),
    Escape("x32_system_calls", "if X86: tries(lambda: syscall(0x40000000 + 57, -1))", DONE),
    Escape(
        "own_filter",
        """
# Allow everything: filters only ever add up.
code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7fff0000))
head = struct.pack("HP", 1, ctypes.addressof(code))
LIBC.prctl(22, 2, head)
tries(os.fork)
""",
    ),
]

ESCAPES = [*READING, *WRITING, *PROCESSES, *SIGNALS, *RESOURCES, *NETWORK, *PRIVILEGES]
