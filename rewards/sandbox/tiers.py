"""Which isolation this machine offers."""

from __future__ import annotations

from enum import StrEnum


class Tier(StrEnum):
    """Kinds of isolation, strongest first."""

    NAMESPACES = "namespaces"
    """bubblewrap, and fresh namespaces for every job."""
    LANDLOCK = "landlock"
    """Landlock, seccomp and resource limits, for machines that forbid namespaces."""
    NONE = "none"
    """Resource limits only: the program can read and write what its user can."""
