"""Programs that try to change what is outside."""

from __future__ import annotations

from tests.unit.rewards.sandbox.escapes.escape import Escape

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
