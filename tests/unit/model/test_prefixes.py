from __future__ import annotations

import torch

from model.prefixes import distinct_tokens, every_token


def test_by_hand() -> None:
    """7 8 1 | 7 8 2 | 8 1: the last segment begins differently, so it shares nothing."""
    computed = distinct_tokens(torch.tensor([7, 8, 1, 7, 8, 2, 8, 1]), (3, 3, 2))
    assert computed.first_U.tolist() == [0, 1, 2, 5, 6, 7]
    assert computed.index_T.tolist() == [0, 1, 2, 0, 1, 3, 4, 5]
    assert computed.shared


def test_what_stands_for_a_token_has_the_same_beginning() -> None:
    generator = torch.Generator().manual_seed(0)
    lengths = [int(torch.randint(1, 9, (), generator=generator)) for _ in range(40)]
    token_ids = torch.randint(0, 3, (sum(lengths),), generator=generator)
    computed = distinct_tokens(token_ids, lengths)
    beginnings = [
        tuple(segment[: end + 1].tolist())
        for segment in token_ids.split(lengths)
        for end in range(len(segment))
    ]
    assert len(computed.first_U) == len(set(beginnings))
    for position, index in enumerate(computed.index_T.tolist()):
        assert beginnings[computed.first_U[index]] == beginnings[position]


def test_nothing_is_shared_between_different_samples_or_without_asking() -> None:
    token_ids = torch.tensor([3, 4, 5, 4])
    assert not distinct_tokens(token_ids, (2, 2)).shared
    assert not every_token(4).shared
    assert every_token(4).index_T.tolist() == [0, 1, 2, 3]
