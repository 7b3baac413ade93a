"""Calls of kubectl, which users have set up for their cluster, with whatever it needs to log in."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from configs.errors import UserError

TIMEOUT_S = 60


class KubectlFailed(UserError):
    """kubectl said no; its last line."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One context and namespace; empty ones are left to kubectl."""

    context: str
    namespace: str

    def run(self, *words: str, input: str | None = None) -> str:
        """Standard output. Raises KubectlFailed, and UserError where there is no kubectl."""
        command = self._command(*words)
        try:
            done = subprocess.run(
                command, input=input, capture_output=True, text=True, timeout=TIMEOUT_S
            )
        except FileNotFoundError as error:
            raise UserError(_MISSING) from error
        except subprocess.TimeoutExpired as error:
            raise KubectlFailed(f"kubectl {words[0]}: no answer within {TIMEOUT_S} s") from error
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise KubectlFailed(f"kubectl {words[0]}: {lines[-1]}")
        return done.stdout

    def read(self, *words: str) -> dict[str, Any] | None:
        """An object as JSON; None when it is not there."""
        try:
            return json.loads(self.run("get", *words, "--output=json"))
        except KubectlFailed as error:
            if "(NotFound)" in str(error):
                return None
            raise

    def lines(self, *words: str) -> Iterator[str]:
        """Standard output as it comes; the process ends with the iteration."""
        with subprocess.Popen(
            self._command(*words), stdout=subprocess.PIPE, text=True, errors="replace"
        ) as process:
            assert process.stdout is not None
            try:
                yield from process.stdout
            finally:
                process.terminate()

    def _command(self, *words: str) -> list[str]:
        chosen = {"context": self.context, "namespace": self.namespace}
        options = [f"--{name}={value}" for name, value in chosen.items() if value]
        # What follows "--" belongs to a command in a pod.
        return ["kubectl", *options, *words]


_MISSING = "kubectl: not found; install it and let it know the cluster (kubectl get nodes)"
