import pytest

from rewards.overlong import overlong_penalty


@pytest.mark.parametrize(
    ("num_tokens", "expected"),
    [
        (0, 0.0),
        (16384, 0.0),  # L_max - L_cache
        (16385, -1 / 4096),
        (18432, -0.5),
        (19456, -0.75),
        (20480, -1.0),  # L_max
        (20481, -1.0),
        (10**9, -1.0),
    ],
)
def test_the_papers_lengths(num_tokens: int, expected: float) -> None:
    penalty = overlong_penalty(num_tokens, max_tokens=20480, cache_tokens=4096)
    assert penalty == pytest.approx(expected, abs=1e-12)


def test_the_slope_may_begin_at_zero() -> None:
    assert overlong_penalty(0, max_tokens=10, cache_tokens=10) == 0.0
    assert overlong_penalty(3, max_tokens=10, cache_tokens=10) == pytest.approx(-0.3)


@pytest.mark.parametrize("cache_tokens", [0, -1, 11])
def test_a_slope_longer_than_the_cap_or_empty_is_our_mistake(cache_tokens: int) -> None:
    with pytest.raises(AssertionError):
        overlong_penalty(5, max_tokens=10, cache_tokens=cache_tokens)
