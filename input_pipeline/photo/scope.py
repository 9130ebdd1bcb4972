"""Whether a picture is a photograph of the inside of an eye.

That is a question of its own beside where the field is (`field`): a camera pointed at a face or a
test chart shows its round field just as well, and a photograph cropped inside the field shows none.
The evidence is weighed by a logistic regression on a few statistics of the field and its colours,
each of which has a reason: haemoglobin and melanin swallow blue and then green, so a retina is red
before green before blue and changes little in hue; it holds no fine detail as strong as print,
lashes or skin, least of all in blue and shared by all colours. Its weights are in `scope_weights`,
fitted by `scope_fit`. It errs towards judging: what is refused is lost to the user.

A picture without colour (an angiogram, a red-free photograph) is judged where it shows a round
field with the fine detail of a retina; slices of OCT and CT show other detail. A picture without
anything in it (white, black, blurred all over) is no matter of scope: nothing of a retina can be
seen in it.
"""

import dataclasses
import math

import numpy as np
from scipy import ndimage

from input_pipeline.photo import scope_weights
from input_pipeline.photo.fields.field import Field
from input_pipeline.photo.fields.surround import lit, within

BLOCKS = 72  # the field is averaged to about so many blocks across
DETAIL = 7  # blocks; fine detail is a block's difference from the mean over such a square
MIN_BLOCKS = 60  # fewer inside the field tell nothing
LIGHT = 8  # grey levels above the surround below which a block is dark
LIMIT = 3.0  # standard deviations
NAMES = (
    "circle",  # arc of the circle that was found, share of a full turn
    "red_blue",  # median of (R - B) / (R + G + B)
    "red_green",  # median of (R - G) / (R + G + B)
    "order",  # share of blocks with R >= G >= B, within noise
    "hue",  # spread of log R/G and log G/B
    "fine",  # log of the 90th percentile of fine detail over local brightness
    "edge",  # log of the 99th percentile of the gradient over brightness
    "shared",  # log of .01 + fine detail in blue times its agreement with the other colours
    "grey",  # share of blocks without colour
    "coarse",  # spread of brightness over large parts, over its mean
)
# A long round edge against a dark surround is seldom seen but in photographs of eyes; the drawn
# pictures, of which every seventh lies behind a round aperture, make too little of it.
ROUND_ARC, ROUND_CUT = 60 / 360, 0.005
# A picture of one colour. Real red-free photographs and angiograms are few here: the limits are
# well above what HRF, CHASE_DB1 and IDRiD show when turned grey, and below slices.
ONE_COLOUR = 0.9  # share of blocks without colour
GREY_ARC, GREY_FINE, GREY_EDGE = 0.15, 0.165, 0.8
# Nothing in it: next to no light, no dark, or neither detail nor edge (about one grey level).
NO_LIGHT, ALL_WHITE, NO_DETAIL, NO_EDGE = 0.02, 0.97, 0.0025, 0.012


@dataclasses.dataclass(frozen=True)
class Scope:
    """What a picture shows."""

    eye: bool  # it may be judged
    empty: str  # 'black' | 'white' | 'blurred all over' where nothing can be seen in it, else ''
    chance: float  # of being the inside of an eye, in [0, 1]; 0 or 1 where a rule decides
    why: str  # one line, for people


@dataclasses.dataclass(frozen=True)
class Content:
    """What is measured inside a field."""

    features: np.ndarray  # [len(NAMES)] float64
    light: float  # share of blocks that hold light
    white: float  # share of blocks that are white
    fine: float  # 90th percentile of fine detail over local brightness
    edge: float  # 99th percentile of the gradient over brightness
    grey: float  # share of blocks without colour


def look(image: np.ndarray, field: Field) -> Scope:
    """Decides about a picture.

    Args:
      image: `[h, w, 3] uint8` RGB, as given to `find_field`.
      field: what that found.
    """
    content = measure(image, field)
    if content is None:
        return Scope(True, "", 1.0, "too small to tell what it shows")
    if content.light < NO_LIGHT:
        return Scope(True, "black", 1.0, f"only {content.light:.1%} of it holds light")
    if content.white > ALL_WHITE:
        return Scope(True, "white", 1.0, f"{content.white:.0%} of it is white")
    if content.fine < NO_DETAIL and content.edge < NO_EDGE:
        return Scope(True, "blurred all over", 1.0, "no detail anywhere in it")
    round_field = "no round field" if field.circle is None else "a round field"
    arc = content.features[NAMES.index("circle")]
    if content.grey > ONE_COLOUR:
        if arc >= GREY_ARC and content.fine <= GREY_FINE and content.edge <= GREY_EDGE:
            return Scope(True, "", 1.0, "one colour, and a round field")
        return Scope(
            False,
            "",
            0.0,
            f"no colour, and {round_field} with the detail of a retina (fine detail "
            f"{content.fine:.2f}, expected up to {GREY_FINE}): a slice, a scan or a drawing?",
        )
    chance = probability(content.features)
    round_ = arc >= ROUND_ARC and not field.inverted
    if chance >= (ROUND_CUT if round_ else scope_weights.CUT):
        return Scope(True, "", chance, f"probability {chance:.2f} of a retina")
    told = ", ".join(_against(content.features))
    return Scope(
        False, "", chance, f"{round_field}, and in it no retina (probability {chance:.3f}: {told})"
    )


def terms(standard: np.ndarray) -> np.ndarray:
    """What is weighed: features `[..., F]` and their squares, `[..., 2 F]`."""
    return np.concatenate([standard, standard**2], axis=-1)


def probability(features: np.ndarray) -> float:
    """Of being the inside of an eye, from `[len(NAMES)]` features."""
    weights = np.array(scope_weights.WEIGHTS)
    logit = scope_weights.BIAS + float(terms(_standard(features)) @ weights)
    return 1 / (1 + math.exp(-max(min(logit, 50.0), -50.0)))


def _standard(features: np.ndarray) -> np.ndarray:
    """Features in standard deviations, none further than LIMIT from the mean."""
    mean, spread = np.array(scope_weights.MEAN), np.array(scope_weights.SPREAD)
    return np.clip((features - mean) / spread, -LIMIT, LIMIT)


def _against(features: np.ndarray) -> list[str]:
    """The statements that speak most against an eye."""
    says = {
        "circle": "no long arc of a field",
        "red_blue": "not red",
        "red_green": "not red",
        "order": "other colours than a retina's",
        "hue": "many hues",
        "fine": "strong fine detail",
        "edge": "hard edges",
        "shared": "fine detail in blue",
        "grey": "no colour",
        "coarse": "large differences of brightness",
    }
    found = _standard(features)
    weights = np.array(scope_weights.WEIGHTS)
    whole = float(terms(found) @ weights)
    pull = np.empty(len(NAMES))
    for i in range(len(NAMES)):  # what the statistic costs, beside its value in an eye
        other = found.copy()
        other[i] = scope_weights.EYE[i]
        pull[i] = whole - float(terms(other) @ weights)
    worst = [says[NAMES[i]] for i in np.argsort(pull)[:3] if pull[i] < -0.5]
    return list(dict.fromkeys(worst)) or ["nothing single"]


def measure(image: np.ndarray, field: Field) -> Content | None:
    """The statistics of what a field shows; None where too little of it is there to tell.

    Args:
      image: `[h, w, 3] uint8` RGB.
      field: in it.
    """
    inside = _inside(field)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if len(rows) < 8 or len(columns) < 8:
        return None
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    step = max(1, round(max(len(rows), len(columns)) / BLOCKS))
    inside = _blocks(inside[box][..., None].astype(np.uint8), step)[0] == 1
    inside = ndimage.minimum_filter(inside, 3, mode="constant")
    if inside.sum() < MIN_BLOCKS:
        return None
    colours = _blocks(image[box], step)
    bright = _highest(colours) > LIGHT + (0 if field.inverted else field.surround)
    lit_share = float(bright[inside].mean())
    bright = ndimage.minimum_filter(bright, 5, mode="nearest") & inside
    if bright.sum() >= MIN_BLOCKS:  # what is dark tells nothing, and its edge is no detail
        inside = bright
    red, green, blue = part = colours[:, inside]
    high, low = _highest(part), np.minimum(np.minimum(red, green), blue)
    total = red + green + blue + 3
    # Means over the part of the square that lies inside.
    layers = np.concatenate([colours * inside, inside[None].astype(np.float32)])
    mean = ndimage.uniform_filter(layers, (0, DETAIL, DETAIL), mode="constant")
    near = mean[:3, inside] / mean[3, inside]
    off = part - near
    local = _highest(near) + LIGHT
    fine = _quantile(np.abs(off[0] + off[1] + off[2]) / (3 * local), 0.9)
    in_blue = _quantile(np.abs(off[2]) / local, 0.9)
    agreement = _correlation(off[0], off[1])
    edge = _edges(_highest(colours), inside) / (max(c.mean() for c in part) + LIGHT)
    grey = float(np.mean(high - low < 0.06 * high + 3))
    wide = 2 * DETAIL + 1
    broad = ndimage.uniform_filter(mean, (0, wide, wide), mode="constant")
    light = (broad[0] + broad[1] + broad[2])[inside] / (3 * broad[3][inside])
    hue = math.hypot(
        _spread(np.log((red + 6) / (green + 6))), _spread(np.log((green + 6) / (blue + 6)))
    )
    edge_of = field.circle or field.squeezed
    arc = 0.0 if edge_of is None else edge_of.arc / 360
    features = np.array(
        [
            arc,
            _quantile((red - blue) / total, 0.5),
            _quantile((red - green) / total, 0.5),
            np.mean((red >= green - 4) & (green >= blue - 6)),
            min(hue, 1.0),
            math.log(fine + 0.002),
            math.log(edge + 0.01),
            math.log(0.01 + in_blue * max(agreement, 0.0)),
            grey,
            light.std() / (light.mean() + LIGHT),
        ]
    )
    return Content(features, lit_share, float(np.mean(low > 235)), fine, edge, grey)


def _inside(field: Field) -> np.ndarray:
    """`[h, w] bool`: the field less its rim, or what is lit of the frame."""
    h, w = field.light.shape
    if field.squeezed is not None:
        return (field.squeezed.away((h, w)) < 0.95**2) & within((h, w), field.frame)
    if field.circle is None:
        return lit(field.light, field.frame)
    one = field.circle
    y = np.arange(h, dtype=np.float32) + np.float32(0.5 - one.y)
    x = np.arange(w, dtype=np.float32) + np.float32(0.5 - one.x)
    away = (y * y)[:, None] + (x * x)[None, :]
    return (away < (0.95 * one.radius) ** 2) & within((h, w), field.frame)


def _edges(level: np.ndarray, inside: np.ndarray) -> float:
    """99th percentile of the gradient of `[h, w]` inside."""
    across = np.diff(level, axis=1)[:-1]
    down = np.diff(level, axis=0)[:, :-1]
    where = inside[:-1, :-1] & inside[1:, :-1] & inside[:-1, 1:]
    return _quantile(np.hypot(across[where], down[where]), 0.99) if where.any() else 0.0


def _highest(colours: np.ndarray) -> np.ndarray:
    return np.maximum(np.maximum(colours[0], colours[1]), colours[2])


def _quantile(values: np.ndarray, share: float) -> float:
    """Nearest of `[n]`; numpy's own takes several times as long."""
    place = min(int(share * len(values)), len(values) - 1)
    return float(np.partition(values, place)[place])


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    spread = float(a.std() * b.std())
    return 1.0 if spread < 1e-3 else float(((a - a.mean()) * (b - b.mean())).mean()) / spread


def _spread(values: np.ndarray) -> float:
    """Standard deviation of the middle of the values."""
    low, high = (min(int(share * len(values)), len(values) - 1) for share in (0.1, 0.9))
    ranked = np.partition(values, (low, high))
    return float(ranked[high] - ranked[low]) / 2.56


def _blocks(image: np.ndarray, step: int) -> np.ndarray:
    """Means of step x step blocks, `[C, h // step, w // step] float32`."""
    h, w = image.shape[0] // step * step, image.shape[1] // step * step
    rows = image[0:h:step].astype(np.uint16)  # whole rows first: they lie together in memory
    for i in range(1, step):
        rows += image[i:h:step]
    total = rows[:, 0:w:step].astype(np.float32)
    for j in range(1, step):
        total += rows[:, j:w:step]
    return np.ascontiguousarray(np.moveaxis(total, 2, 0)) / step**2
