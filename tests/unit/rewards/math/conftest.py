from collections.abc import Iterator

import pytest

from configs.rewards import MathSettings
from rewards.math import MathChecker


@pytest.fixture(scope="session")
def checker() -> Iterator[MathChecker]:
    """With a time limit that a busy machine does not reach."""
    with MathChecker(MathSettings(timeout_s=60.0)) as shared:
        yield shared
