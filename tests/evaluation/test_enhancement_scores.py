"""FIQA, WFQA and rates by hand, and what an interval must know of patients and pairs."""

import numpy as np
import pytest

from fiqa_jax.evaluation import enhancement_scores as scores

GOOD, USABLE, REJECT = 0, 1, 2


def test_scores_by_hand():
    before = [REJECT, REJECT, REJECT, REJECT, USABLE, GOOD, GOOD, GOOD]
    after = [GOOD, USABLE, REJECT, GOOD, GOOD, GOOD, USABLE, GOOD]
    who = [str(i) for i in range(8)]
    found = scores.changes(before, after, who, 0.5, 0)
    assert found["fiqa"].before.value == 3 / 8
    assert found["fiqa"].after.value == 5 / 8
    assert found["fiqa"].difference.value == pytest.approx(2 / 8)
    assert found["wfqa"].before.value == 3.5 / 8
    assert found["wfqa"].after.value == 6 / 8
    rates = scores.rates(before, after, who, 0)
    assert rates["conversion_rate"].value == 2 / 4
    assert rates["rescued"].value == 3 / 4
    assert rates["spoilt"].value == pytest.approx(1 / 3)
    for one in (*rates.values(), found["fiqa"].difference):
        assert one.low <= one.value <= one.high


def test_pairs_are_kept_together_and_patients_drawn_whole():
    """Every photograph one grade better: the change is certain though the grades are not."""
    before, after = np.array([REJECT, USABLE] * 20), np.array([USABLE, GOOD] * 20)
    found = scores.changes(before, after, [str(i) for i in range(40)], 0.5, 0)["wfqa"]
    assert found.before.low < found.before.high
    assert found.difference.low == found.difference.high == 0.5
    # Forty photographs of four patients say less than of forty.
    few = scores.changes(before, after, [str(i // 2 % 4) for i in range(40)], 0.5, 0)
    assert few["fiqa"].before.units == 4


def test_nothing_to_count_and_what_is_no_grade():
    rates = scores.rates([GOOD], [GOOD], ["1"], 0)
    assert np.isnan(rates["conversion_rate"].value)
    assert rates["spoilt"].value == 0
    with pytest.raises(ValueError, match="0 good, 1 usable, 2 reject"):
        scores.rates([-1], [GOOD], ["1"], 0)
    with pytest.raises(ValueError, match="unequal length"):
        scores.rates([GOOD], [GOOD, GOOD], ["1"], 0)


def test_none_of_ten_leaves_room_for_some():
    """Wilson's interval of 0 in 10: z^2 / (10 + z^2)."""
    rate = scores.rates([REJECT] * 10, [USABLE] * 10, [str(i) for i in range(10)], 0)
    z2 = 1.959964**2
    assert rate["conversion_rate"].low == pytest.approx(0)
    assert rate["conversion_rate"].high == pytest.approx(z2 / (10 + z2), abs=1e-6)
