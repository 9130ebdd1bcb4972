"""Probabilities that mean what they say: temperature, Platt scaling, correction of the prior.

Fitted on labelled predictions that the model was not trained on. Everything works on probabilities
(no logits needed) and is a pure function of arrays.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Fitted = dict[str, float]  # {'temperature': T} or {'slope': a, 'offset': b}
_EPS = 1e-12
_TEMPERATURES = (0.05, 20.0)


def normalise(prob: ArrayLike) -> Floats:
    """[N, C] non-negative scores divided by their row sums (sigmoid outputs become a distribution).

    Raises:
      ValueError: a negative or non-finite entry, or a row that sums to 0.
    """
    p = np.asarray(prob, np.float64)
    wrong = ~np.isfinite(p).all(-1) | (p < 0).any(-1) | (p.sum(-1) <= 0)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{int(wrong.sum())} of {len(p)} rows are no probabilities (row {row}: {p[row]}); "
            "expected finite, non-negative values of which at least one is above 0"
        )
    return p / p.sum(-1, keepdims=True)


def prior_correction(prob: ArrayLike, prior: ArrayLike, tau: float) -> Floats:
    """Divides out the training prior: p / prior^tau, rows renormalised.

    tau = 1 is the balanced-prior rule of Saerens et al. (2002, equation 2.4) with equal new priors.

    Args:
      prob: [N, C] probabilities (or unnormalised non-negative scores).
      prior: [C] class shares or counts of the training set, all above 0.
      tau: 0 changes nothing but the row sums; 1 removes the prior.

    Returns:
      [N, C] float64, rows sum to 1.

    Raises:
      ValueError: a class without training examples, or a length that does not fit.
    """
    share = np.asarray(prior, np.float64)
    p = np.asarray(prob, np.float64)
    if share.shape != p.shape[-1:] or not (share > 0).all():
        raise ValueError(
            f"prior correction needs {p.shape[-1]} class shares above 0, one for each class; "
            f"seen {share.tolist()}"
        )
    return normalise(p / (share / share.sum()) ** tau)


def aligned(prob: ArrayLike, share: ArrayLike) -> Floats:
    """Probabilities of yes-or-no labels, their logits moved so that their mean is `share`.

    A model on photographs of another camera tends to find a defect everywhere or nowhere. Where the
    defect is believed to be as frequent as in what the model learned from, one number per label
    mends that (distribution alignment, Berthelot et al. 2020, with a shift of the logit in place of
    a factor).

    Args:
      prob: `[N, K]` in [0, 1].
      share: `[K]`, strictly between 0 and 1.

    Returns:
      `[N, K]`, ordered within each label as before.

    Raises:
      ValueError: a share of 0 or 1, or of another number of labels.
    """
    p, wanted = np.asarray(prob, np.float64), np.asarray(share, np.float64)
    if wanted.shape != p.shape[1:] or not ((wanted > 0) & (wanted < 1)).all():
        raise ValueError(
            f"shares of {p.shape[1]} labels must lie between 0 and 1, given {wanted.tolist()}"
        )
    from scipy.optimize import brentq

    def moved(z: Floats, share: float) -> Floats:
        return _sigmoid(z + brentq(lambda shift: _sigmoid(z + shift).mean() - share, -60, 60))

    columns = zip(_logit(p).T, wanted.tolist(), strict=True)
    return np.stack([moved(z, share) for z, share in columns], 1)


def fit_temperature(truth: ArrayLike, prob: ArrayLike) -> Fitted:
    """Temperature that minimises the NLL of softmax(log p / T) (Guo et al. 2017, equation 9).

    Args:
      truth: [N] int, negative = absent (left out); `prob`: [N, C] rows summing to 1.

    Returns:
      {'temperature': T}, T in [0.05, 20]; 1 where nothing is labelled.
    """
    from scipy.optimize import minimize_scalar

    y, p = np.asarray(truth, np.int64), np.asarray(prob, np.float64)
    here = y >= 0
    if not here.any():
        return {"temperature": 1.0}
    log_p, y = np.log(np.clip(p[here], _EPS, None)), y[here]

    def nll(log_t: float) -> float:
        z = log_p / np.exp(log_t)
        z -= z.max(-1, keepdims=True)
        return float((np.log(np.exp(z).sum(-1)) - z[np.arange(len(y)), y]).mean())

    low, high = np.log(_TEMPERATURES)
    optimum = minimize_scalar(nll, bounds=(low, high), method="bounded", options={"xatol": 1e-7})
    return {"temperature": float(np.exp(optimum.x))}


def fit_platt(truth: ArrayLike, prob: ArrayLike) -> Fitted:
    """Slope and offset of sigmoid(a logit(p) + b), by maximum likelihood on Platt's targets.

    The targets (n1 + 1) / (n1 + 2) and 1 / (n0 + 2) in place of 1 and 0 (Platt 1999, section 2.2)
    keep the fit finite where the classes can be told apart without an error. The slope is kept at
    or above 0.01, so that calibration never turns an order round.

    Args:
      truth: [N] 0/1, negative = absent (left out); `prob`: [N] in [0, 1].

    Returns:
      {'slope': a, 'offset': b}; the identity where only one class is labelled.
    """
    from scipy.optimize import minimize

    y, p = np.asarray(truth, np.int64), np.asarray(prob, np.float64)
    y, z = y[y >= 0], _logit(p[y >= 0])
    ones, zeros = int((y == 1).sum()), int((y == 0).sum())
    if not ones or not zeros:
        return {"slope": 1.0, "offset": 0.0}
    target = np.where(y == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))

    def nll(x: Floats) -> tuple[float, Floats]:
        u = x[0] * z + x[1]
        rest = _sigmoid(u) - target
        return float((np.logaddexp(0, u) - target * u).mean()), np.array(
            [(rest * z).mean(), rest.mean()]
        )

    optimum = minimize(
        nll, [1.0, 0.0], jac=True, method="L-BFGS-B", bounds=[(0.01, None), (None,) * 2]
    )
    return {"slope": float(optimum.x[0]), "offset": float(optimum.x[1])}


def fit_heads(
    truth: Mapping[str, ArrayLike], outputs: Mapping[str, ArrayLike], details: Sequence[str] = ()
) -> dict[str, Fitted]:
    """Calibration of every head with labels: temperature for classes, Platt for yes-or-no heads.

    Args:
      truth, outputs, details: as metrics.head_scores.

    Returns:
      'quality', 'ungradable', 'diagnosis' and each detail's name to its fitted numbers.
      'ungradable' is left out where it is P(reject) of the grade, which then carries it.
    """
    out: dict[str, Fitted] = {}
    for head in ("quality", "diagnosis"):
        if head in truth and f"p_{head}" in outputs:
            out[head] = fit_temperature(truth[head], outputs[f"p_{head}"])
    if "ungradable" in truth and "p_ungradable" in outputs and not _follows(outputs).all():
        out["ungradable"] = fit_platt(truth["ungradable"], outputs["p_ungradable"])
    if "details" in truth and "p_details" in outputs:
        labels, prob = np.asarray(truth["details"]), np.asarray(outputs["p_details"])
        for k, name in enumerate(details):
            out[name] = fit_platt(labels[:, k], prob[:, k])
    return out


def apply(
    outputs: Mapping[str, ArrayLike], fitted: Mapping[str, Fitted], details: Sequence[str] = ()
) -> dict[str, NDArray[Any]]:
    """Outputs with calibrated probabilities; score and map stay, their cut-offs are fitted on them.

    Args:
      outputs: of a method's predict, see metrics.head_scores.
      fitted: from `fit_heads`; heads that are not named stay.
      details: K names.

    Returns:
      A new dict; calibrated entries are float64.
    """
    out = {key: np.asarray(value) for key, value in outputs.items()}
    follows = _follows(outputs)
    for head in ("quality", "diagnosis"):
        if head in fitted and f"p_{head}" in out:
            out[f"p_{head}"] = _with_temperature(out[f"p_{head}"], fitted[head]["temperature"])
    if "ungradable" in fitted and "p_ungradable" in out:
        out["p_ungradable"] = _with_platt(out["p_ungradable"], fitted["ungradable"])
    elif follows.any():
        out["p_ungradable"] = np.where(follows, out["p_quality"][:, -1], out["p_ungradable"])
    if "p_details" in out and any(name in fitted for name in details):
        columns = [
            _with_platt(p, fitted[name]) if name in fitted else p.astype(np.float64)
            for name, p in zip(details, out["p_details"].T, strict=True)
        ]
        out["p_details"] = np.stack(columns, -1)
    return out


def compose(old: Mapping[str, Fitted], new: Mapping[str, Fitted]) -> dict[str, Fitted]:
    """One calibration that equals applying `old`, then `new` (exact: both act on logits)."""
    out = {head: dict(values) for head, values in old.items()}
    for head, after in new.items():
        if head not in old:
            out[head] = dict(after)
        elif "temperature" in after:
            out[head] = {"temperature": old[head]["temperature"] * after["temperature"]}
        else:
            out[head] = {
                "slope": after["slope"] * old[head]["slope"],
                "offset": after["slope"] * old[head]["offset"] + after["offset"],
            }
    return out


def _follows(outputs: Mapping[str, ArrayLike]) -> NDArray[np.bool_]:
    """[N]: whether P(ungradable) of a photograph is P(reject) of its grade, by itself alone."""
    if "p_quality" not in outputs or "p_ungradable" not in outputs:
        return np.zeros(1, bool)
    reject = np.asarray(outputs["p_quality"], np.float64)[:, -1]
    return np.isclose(reject, np.asarray(outputs["p_ungradable"], np.float64), atol=1e-6)


def _with_temperature(prob: ArrayLike, temperature: float) -> Floats:
    z = np.log(np.clip(np.asarray(prob, np.float64), _EPS, None)) / temperature
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _with_platt(prob: ArrayLike, fitted: Fitted) -> Floats:
    return _sigmoid(fitted["slope"] * _logit(prob) + fitted["offset"])


def _logit(prob: ArrayLike) -> Floats:
    p = np.clip(np.asarray(prob, np.float64), _EPS, 1 - _EPS)
    return np.log(p) - np.log1p(-p)


def _sigmoid(z: Floats) -> Floats:
    return np.exp(-np.logaddexp(0, -z))
