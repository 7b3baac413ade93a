"""Programs that try to gain privileges or use rare parts of the kernel."""

from __future__ import annotations

from tests.unit.rewards.sandbox.escapes.escape import DONE, Escape

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
