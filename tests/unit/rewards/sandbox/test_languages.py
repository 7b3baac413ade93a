"""Compiled languages: in the same jail, with a step in which programs may start others."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from configs.errors import UserError
from configs.rewards import SandboxSettings
from rewards.sandbox import languages
from rewards.sandbox.inside.protocol import Tier
from rewards.sandbox.jobs import Job, Limits, RunResult, RunStatus
from rewards.sandbox.pool import SandboxPool
from tests.unit.rewards.sandbox.machine import need

ADD_ONE = r"""
#include <stdio.h>
int main(void) { int n; scanf("%d", &n); printf("%d\n", n + 1); return 0; }
"""
HOSTILE = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <fcntl.h>
int main(void) {
    char *arguments[] = {"/bin/echo", "ESCAPED", NULL};
    char *nothing[] = {NULL};
    for (int number = 3; number < 100; number++)
        if (fcntl(number, F_GETFD) >= 0) puts("ESCAPED descriptor");
    execv(arguments[0], arguments);
    int echo = open("/bin/echo", O_RDONLY);
    if (echo >= 0) dup2(echo, 4);
    syscall(SYS_execveat, 4, "", arguments, nothing, AT_EMPTY_PATH);
    syscall(SYS_execveat, 4, "/bin/echo", arguments, nothing, AT_EMPTY_PATH);
    if (fork() >= 0) puts("ESCAPED fork");
    if (vfork() >= 0) _exit(puts("ESCAPED vfork"));
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0) puts("ESCAPED socket");
    if (open("/etc/passwd", O_RDONLY) >= 0) puts("ESCAPED passwd");
    if (memfd_create("x", 0) >= 0) puts("ESCAPED memory file");
    puts("contained");
    return 7;
}
"""


@pytest.fixture(params=[Tier.NAMESPACES, Tier.LANDLOCK], scope="module")
def pool(request: pytest.FixtureRequest) -> Iterator[SandboxPool]:
    if not os.access("/usr/bin/gcc", os.X_OK):
        pytest.skip("no /usr/bin/gcc")
    with SandboxPool(SandboxSettings(workers=1, tier=need(request.param).value)) as pool:
        yield pool


def run(pool: SandboxPool, source: str, stdin: bytes = b"", time_s: float = 10.0) -> RunResult:
    return pool.run(Job(source, language="c", stdin=stdin, limits=Limits(time_s=time_s)))


def test_c_is_compiled_once_and_run(pool: SandboxPool) -> None:
    first = run(pool, ADD_ONE, b"41")
    assert (first.status, first.stdout) == (RunStatus.FINISHED, b"42\n")
    programs = len(pool._programs)  # pyright: ignore[reportPrivateUsage]
    assert run(pool, ADD_ONE, b"1").stdout == b"2\n"
    assert len(pool._programs) == programs  # pyright: ignore[reportPrivateUsage]


@pytest.mark.integration
def test_cpp_has_its_library_and_a_memory_limit(pool: SandboxPool) -> None:
    source = """
#include <iostream>
#include <map>
#include <vector>
int main() {
    std::map<int, std::vector<int>> found; int n, m;
    while (std::cin >> n >> m) found[n].push_back(m);
    for (auto& [key, values] : found) std::cout << key << ' ' << values.size() << '\\n';
    if (found.empty()) { std::vector<char> much(1 << 30); std::cout << much.size(); }
}
"""
    job = Job(source, language="cpp", stdin=b"2 1 1 1 2 5", limits=Limits(memory_mib=256))
    assert pool.run(job).stdout == b"1 1\n2 2\n"
    empty = pool.run(Job(source, language="cpp", limits=Limits(memory_mib=256)))
    assert empty.status is RunStatus.MEMORY_LIMIT


def test_a_compile_error_carries_the_compilers_words(pool: SandboxPool) -> None:
    result = run(pool, "int main(void) { return x; }")
    assert result.status is RunStatus.COMPILE_ERROR
    assert b"undeclared" in result.stderr
    assert result.stdout == b""
    assert 0 < result.seconds < 20


@pytest.mark.parametrize(
    "source",
    [
        '#include "/etc/passwd"\nint main(void) { return 0; }',
        '#include "/dev/zero"\nint main(void) { return 0; }',
        'asm(".incbin \\"/etc/passwd\\"");\nint main(void) { return 0; }',
    ],
)
def test_the_compiler_is_in_the_jail_too(pool: SandboxPool, source: str) -> None:
    result = run(pool, source)
    assert result.status is RunStatus.COMPILE_ERROR
    assert b"root:" not in result.stderr


@pytest.mark.integration
def test_the_compilers_time_is_limited(pool: SandboxPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rewards.sandbox.pool.COMPILE_TIME_S", 1.0)
    doubling = "".join(f"#define x{i + 1} x{i} x{i}\n" for i in range(40))
    result = run(pool, f"#define x0 0+\n{doubling}\nint main(void) {{ return x40 0; }}", time_s=1.0)
    assert result.status is RunStatus.COMPILE_ERROR
    assert run(pool, ADD_ONE, b"41").stdout == b"42\n"


def test_a_native_program_is_held_like_any_other(pool: SandboxPool) -> None:
    result = run(pool, HOSTILE)
    assert (result.exit_code, result.stdout) == (7, b"contained\n")
    late = run(pool, "int main(void) { for (;;); }", time_s=0.3)
    assert late.status is RunStatus.TIME_LIMIT
    output = run(pool, '#include <stdio.h>\nint main(void) { for (;;) puts("x"); }')
    assert output.status is RunStatus.OUTPUT_LIMIT
    crash = run(pool, "int main(void) { *(volatile int *)0 = 1; }")
    assert (crash.status, crash.exit_code) == (RunStatus.FINISHED, -11)
    assert run(pool, ADD_ONE, b"41").stdout == b"42\n"


def test_files_cannot_take_the_programs_place(pool: SandboxPool) -> None:
    source = '#include "n.h"\nint main(void) { return N; }'
    result = pool.run(Job(source, language="c", files={"n.h": b"#define N 42"}))
    assert result.exit_code == 42
    with pytest.raises(UserError, match="the program's own name"):
        pool.run(Job(ADD_ONE, language="c", files={"main": b""}))


def test_a_compiler_that_does_not_work_is_the_users_to_install(
    pool: SandboxPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = languages.Language("main.x", ("/usr/bin/no-such-compiler", "main.x"))
    monkeypatch.setitem(languages.LANGUAGES, "x", broken)
    with pytest.raises(UserError, match=r"language=x: .*no-such-compiler.*install the compiler"):
        pool.run(Job("", language="x"))
