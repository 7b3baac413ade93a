"""The system-call filter, decided by a small interpreter of BPF, for both machines."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from rewards.sandbox.inside import seccomp, syscalls
from rewards.sandbox.inside.protocol import Stage

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
PID = 77
X86, ARM = "x86_64", "aarch64"
HEADERS = {
    X86: Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    ARM: Path("/usr/include/asm-generic/unistd.h"),
}


def decide(
    machine: str, number: int, *arguments: int, stage: Stage = Stage.PYTHON, own: bool = True
) -> int:
    """What the filter says to a system call."""
    code = seccomp.program(stage, PID, own_files=own, machine=machine)
    values = [*arguments, *[0] * (6 - len(arguments))]
    architecture = seccomp.ARCHITECTURES[machine]
    return interpret(code, struct.pack("IIQ6Q", number, architecture, 0, *values))


def interpret(code: bytes, data: bytes) -> int:
    instructions = [struct.unpack_from("HBBI", code, i) for i in range(0, len(code), 8)]
    position = accumulator = 0
    while True:
        operation, if_true, if_false, constant = instructions[position]
        position += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("I", data, constant)
        elif operation == 0x54:
            accumulator &= constant
        elif operation == 0x06:
            return constant
        else:
            holds = {0x15: accumulator == constant, 0x25: accumulator > constant,
                     0x35: accumulator >= constant}[operation]  # fmt: skip
            position += if_true if holds else if_false


@pytest.mark.parametrize("machine", [X86, ARM])
def test_numbers_are_those_of_the_kernels_headers(machine: str) -> None:
    if not HEADERS[machine].is_file():
        pytest.skip(f"no {HEADERS[machine]}")
    text = HEADERS[machine].read_text()
    lines = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)
    known = {name: int(number) for name, number in lines}
    if machine == ARM:
        known["newfstatat"] = known["fstatat"]  # its generic name
    tables = (syscalls.FREE, syscalls.METADATA, syscalls.CHECKED, syscalls.PROCESSES)
    for table in tables:
        for name, number in syscalls.numbers(table, machine).items():
            assert known[name] == number, name


def test_without_its_own_number_a_system_call_does_not_exist() -> None:
    assert syscalls.numbers("open:2:- read:0:63", ARM) == {"read": 63}


@pytest.mark.parametrize("machine", [X86, ARM])
def test_all_other_numbers_are_refused(machine: str) -> None:
    free = syscalls.numbers(syscalls.FREE + syscalls.METADATA, machine).values()
    checked = syscalls.numbers(syscalls.CHECKED, machine).values()
    for number in range(600):
        if number not in checked:
            refused = EPERM if number < 435 else ENOSYS
            assert decide(machine, number) == (ALLOW if number in free else refused), number


CLONE, CLONE_THREAD, NEW_USER = {X86: 56, ARM: 220}, 0x10000, 0x10000000


@pytest.mark.parametrize("machine", [X86, ARM])
def test_processes_cannot_be_made_but_threads_can(machine: str) -> None:
    number = CLONE[machine]
    assert decide(machine, number, 17) == EPERM
    assert decide(machine, number, 0x3D0F00 | CLONE_THREAD) == ALLOW
    assert decide(machine, number, CLONE_THREAD | NEW_USER) == EPERM
    assert decide(machine, number, 17, stage=Stage.COMPILE) == ALLOW
    assert decide(machine, number, 17 | NEW_USER, stage=Stage.COMPILE) == EPERM
    assert decide(machine, 435) == ENOSYS


@pytest.mark.parametrize(
    ("x86_64", "aarch64", "arguments", "answer"),
    [
        (0, 63, (), ALLOW),  # read
        (41, 198, (1, 1), EPERM),  # socket
        (53, 199, (1, 1), ALLOW),  # socketpair of streams
        (53, 199, (1, 0o2000001), ALLOW),  # with SOCK_CLOEXEC
        (53, 199, (1, 2), EPERM),  # of datagrams
        (53, 199, (2, 1), EPERM),  # of the internet
        (62, 129, (PID, 9), ALLOW),  # kill itself
        (62, 129, (PID + 1, 9), EPERM),
        (62, 129, (2**64 - 1, 9), EPERM),  # everybody
        (62, 129, (0, 9), EPERM),  # the group
        (302, 261, (0, 7), ALLOW),  # prlimit64
        (302, 261, (1, 7), EPERM),
        (72, 25, (5, 8, 1), EPERM),  # F_SETOWN
        (72, 25, (5, 2, 1), ALLOW),  # F_SETFD
        (16, 29, (0, 0x5401), ALLOW),  # TCGETS
        (16, 29, (0, 0x5412), EPERM),  # TIOCSTI
        (157, 167, (1, 0), EPERM),  # PR_SET_PDEATHSIG
        (322, 281, (4, 0, 0, 0, 0x1000), EPERM),  # execveat
        (101, 117, (0,), EPERM),  # ptrace
        (165, 40, (), EPERM),  # mount
        (272, 97, (NEW_USER,), EPERM),  # unshare
        (425, 425, (), EPERM),  # io_uring_setup
        (447, 447, (), ENOSYS),  # memfd_secret
        (999, 999, (), ENOSYS),
    ],
)
def test_what_python_programs_may_do(
    x86_64: int, aarch64: int, arguments: tuple[int, ...], answer: int
) -> None:
    assert decide(X86, x86_64, *arguments) == answer
    assert decide(ARM, aarch64, *arguments) == answer


def test_a_native_program_executes_only_the_descriptor_it_came_from() -> None:
    for machine, number, plain in ((X86, 322, 59), (ARM, 281, 221)):
        assert decide(machine, number, 4, 0, 0, 0, 0x1000, stage=Stage.NATIVE) == ALLOW
        assert decide(machine, number, 5, 0, 0, 0, 0x1000, stage=Stage.NATIVE) == EPERM
        assert decide(machine, number, 4, 0, 0, 0, 0, stage=Stage.NATIVE) == EPERM
        assert decide(machine, plain, stage=Stage.NATIVE) == EPERM
        assert decide(machine, plain, stage=Stage.COMPILE) == ALLOW


def test_metadata_of_files_changes_only_where_all_files_are_the_jobs() -> None:
    for machine, number in ((X86, 91), (ARM, 52)):
        assert decide(machine, number, own=True) == ALLOW
        assert decide(machine, number, own=False) == EPERM


def test_other_kinds_of_system_calls_end_the_program() -> None:
    assert decide(X86, 0x40000000 + 1) == KILL
    code = seccomp.program(Stage.PYTHON, PID, own_files=True, machine=X86)
    i386 = struct.pack("IIQ6Q", 4, 0x40000003, *[0] * 7)
    assert interpret(code, i386) == KILL
