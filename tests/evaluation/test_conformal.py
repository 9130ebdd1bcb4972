"""Cut-offs with a guarantee: the textbook's ranks, and coverage in simulation."""

import numpy as np
import pytest

from fiqa_jax.evaluation import conformal


def test_ranks_by_hand():
    # 19 of a kind: at 95 % one in twenty may be wrong, so the smallest of 19 is the cut.
    low = conformal.lower_cut(np.arange(1, 20), 0.95)
    assert (low.cut, low.promised) == (1, 0.95)
    high = conformal.upper_cut(np.arange(1, 20), 0.95)
    assert high.cut == np.nextafter(19.0, np.inf)
    # 39 of a kind: k = floor(.05 * 40) = 2, the second smallest.
    assert conformal.lower_cut(np.arange(1, 40), 0.95).cut == 2
    # k = 1 of N = 19: the share on the right side follows 1 - Beta(1, 19): closed form.
    assert low.low == pytest.approx(0.025 ** (1 / 19))
    assert low.high == pytest.approx(0.975 ** (1 / 19))


def test_what_cannot_be_promised_is_refused():
    with pytest.raises(ValueError, match=r"takes 19, with these at most 94\.7%"):
        conformal.lower_cut(np.arange(18), 0.95)
    with pytest.raises(ValueError, match=r"1 cannot be promised; give one above 0 and below 1"):
        conformal.upper_cut(np.arange(18), 1.0)
    assert conformal.attainable(18) == pytest.approx(18 / 19)


@pytest.mark.parametrize("share", [0.8, 0.9])
def test_the_promise_holds_on_average_and_its_range_in_95_of_100(share):
    """Uniform scores: the share of the class above a cut c is 1 - c, below it c."""
    rng = np.random.default_rng(3)
    low = [conformal.lower_cut(rng.random(50), share) for _ in range(1000)]
    true = np.array([1 - one.cut for one in low])
    assert true.mean() == pytest.approx(low[0].promised, abs=0.008)
    assert low[0].promised >= share
    inside = [one.low <= 1 - one.cut <= one.high for one in low]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)
    high = np.array([conformal.upper_cut(rng.random(50), share).cut for _ in range(1000)])
    assert high.mean() == pytest.approx(low[0].promised, abs=0.008)
