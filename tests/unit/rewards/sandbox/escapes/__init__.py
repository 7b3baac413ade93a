"""Hostile programs, as data."""

from tests.unit.rewards.sandbox.escapes.network import NETWORK
from tests.unit.rewards.sandbox.escapes.privileges import PRIVILEGES
from tests.unit.rewards.sandbox.escapes.processes import PROCESSES
from tests.unit.rewards.sandbox.escapes.reading import READING
from tests.unit.rewards.sandbox.escapes.resources import RESOURCES
from tests.unit.rewards.sandbox.escapes.signals import SIGNALS
from tests.unit.rewards.sandbox.escapes.writing import WRITING

ESCAPES = [*READING, *WRITING, *PROCESSES, *SIGNALS, *RESOURCES, *NETWORK, *PRIVILEGES]
