"""Programs that try to read what is outside: files, memory, the environment, what was installed."""

from __future__ import annotations

from tests.unit.rewards.sandbox.escapes.escape import Escape

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
