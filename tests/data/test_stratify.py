from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import entropy

from desertseg.data import stratify
from desertseg.data.stratify import Groups, choose_groups, judge


def draw_groups(seed: int, count: int, classes: int = 5) -> Groups:
    random = np.random.default_rng(seed)
    counts = random.integers(0, 1000, (count, classes)) * (random.random((count, classes)) < 0.6)
    near = np.triu(random.integers(0, 3, (count, count)), 1).astype(float)
    return Groups(random.integers(1, 20, count), counts, near + near.T)


def judge_plainly(groups: Groups, choice: tuple[bool, ...], share: float) -> float:
    """The same as `judge`, in loops and by SciPy's divergence."""
    val = [g for g, inside in enumerate(choice) if inside]
    size = sum(groups.sizes[val]) / sum(groups.sizes)
    divergences, missing = [], 0
    for c in range(groups.counts.shape[1]):
        if (groups.counts[:, c] > 0).sum() < 2:
            continue
        found = groups.counts[val, c].sum() / groups.counts[:, c].sum()
        missing += found in (0, 1)
        kept = max(found, share * 1e-3), max(1 - found, (1 - share) * 1e-3)
        # SciPy scales both to a sum of 1, which changes what was kept from 0; so by hand where a class is missing
        pair = (share, 1 - share)
        by_hand = sum(p * np.log(p / q) for p, q in zip(pair, kept, strict=True))
        divergences.append(by_hand if found in (0, 1) else entropy(pair, kept))
    torn = sum(groups.near[i, j] for i in val for j in range(len(choice)) if not choice[j])
    size = entropy((share, 1 - share), (size, 1 - size))
    return np.mean(divergences) + 4 * size + 0.5 * torn / (share * groups.sizes.sum()) + missing


def test_a_choice_is_judged_as_in_plain_loops() -> None:
    groups = draw_groups(0, 6)
    choices = [c for c in itertools.product((False, True), repeat=6) if 0 < sum(c) < 6]
    expected = [judge_plainly(groups, choice, 0.3) for choice in choices]
    np.testing.assert_allclose(judge(groups, np.array(choices), 0.3), expected)
    lean = Groups(groups.sizes, groups.counts, sparse.csr_array(groups.near))
    np.testing.assert_allclose(judge(lean, np.array(choices), 0.3), expected)
    best = choices[int(np.argmin(expected))]
    assert tuple(choose_groups(groups, 0.3)) == best


def test_a_perfect_cut_costs_nothing_and_is_found() -> None:
    counts = np.tile([[100, 7, 3]], (10, 1))
    groups = Groups(np.full(10, 4), counts, np.zeros((10, 10)))
    chosen = choose_groups(groups, 0.2)
    assert chosen.sum() == 2
    assert judge(groups, chosen[None], 0.2)[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_the_search_comes_close_to_the_best(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = draw_groups(seed, 11)
    best = judge(groups, choose_groups(groups, 0.25)[None], 0.25)[0]
    monkeypatch.setattr(stratify, "_EXHAUSTIVE", 0)
    found = choose_groups(groups, 0.25, seed=3)
    assert judge(groups, found[None], 0.25)[0] <= best * 1.05 + 1e-9
    np.testing.assert_array_equal(choose_groups(groups, 0.25, seed=3), found)


def test_near_pairs_stay_on_one_side_where_that_costs_nothing() -> None:
    near = np.zeros((20, 20))
    for a in range(0, 20, 2):
        near[a, a + 1] = near[a + 1, a] = 30
    chosen = choose_groups(Groups(np.full(20, 10), np.full((20, 3), 50), near), 0.2)
    assert chosen.sum() == 4
    np.testing.assert_array_equal(chosen[::2], chosen[1::2])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(2, 40), st.integers(1, 6), st.floats(0.02, 0.98), st.integers(0, 5))
def test_both_sides_get_something(count: int, classes: int, share: float, seed: int) -> None:
    groups = draw_groups(seed, count, classes)
    chosen = choose_groups(groups, share, seed)
    assert chosen.shape == (count,)
    assert 0 < chosen.sum() < count
