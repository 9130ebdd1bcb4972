"""What the camera saw of an eye in an upright picture: round field, true frame, what is lit.

Coordinates are upright original pixels, pixel i covering the interval from i to i + 1.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from input_pipeline.photo import scope
from input_pipeline.photo.colour import as_grey
from input_pipeline.photo.crop import Box, cover, erased
from input_pipeline.photo.decode import Upright
from input_pipeline.photo.fields.field import SEARCH_SIDE, SMALLEST, find_field
from input_pipeline.photo.fields.surround import Frame, lit, within

Circle = tuple[float, float, float]  # x, y, radius
TWO_FIELDS, TOO_SMALL = "two round fields in one picture", "too few pixels to tell what it shows"
_STRIP = 32  # rows looked at together
SQUARED = 0.02  # black share of circle and frame from which a field is no circle any more


@dataclasses.dataclass(frozen=True)
class View:
    """The part of a picture that is judged, and what it shows."""

    circle: Circle | None  # the round field, None where none was found
    frame: Frame  # left, top, right, bottom of the photograph inside padding
    # [h, w] bool on a grid of `step` pixels from `origin`: what is not black about the field; None
    # where circle and frame say it.
    lit: np.ndarray | None
    step: float
    origin: tuple[float, float]
    seen: str  # what was seen of the field
    scope: str  # '' where it may be judged; else why not
    empty: str  # 'black' | 'white' | 'blurred all over' where nothing can be seen, else ''

    @property
    def square(self) -> Frame:
        """The square that is cut out: about the circle, else about the frame."""
        left, top, right, bottom = self.frame
        x, y, radius = self.circle or (
            (left + right) / 2,
            (top + bottom) / 2,
            max(right - left, bottom - top) / 2,
        )
        return x - radius, y - radius, x + radius, y + radius

    @property
    def across(self) -> float:
        """Original pixels across the field; of a frame, its longer side."""
        left, _, right, _ = self.square
        return right - left

    @property
    def shown(self) -> float:
        """Share of the round field that lies in the frame, 0 to 1.

        Without a circle 1, but NaN where the frame is full: what lies outside is not known.
        """
        if self.circle is None:
            return math.nan if self._full() else 1.0
        x, y, radius = self.circle
        at = x + radius * np.linspace(-0.995, 0.995, 200)
        half = np.sqrt(radius**2 - (at - x) ** 2)
        left, top, right, bottom = self.frame
        seen = np.clip(np.minimum(y + half, bottom) - np.maximum(y - half, top), 0, None)
        return float(seen[(at > left) & (at < right)].sum() / (2 * half).sum())

    def _full(self) -> bool:
        """Whether next to nothing of the frame is black."""
        if self.lit is None:
            return True
        frame = zip(self.frame, (*self.origin, *self.origin), strict=True)
        left, top, right, bottom = (round((edge - start) / self.step) for edge, start in frame)
        return float(self.lit[top:bottom, left:right].mean()) >= 1 - SQUARED

    def inside(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Whether pixel centres at columns x `[W]` and rows y `[H]` are seen, `[H, W] bool`."""
        left, top, right, bottom = self.frame
        columns, rows = _between(x, left, right), _between(y, top, bottom)
        out = rows[:, None] & columns[None, :]
        if self.circle is not None:
            x0, y0, radius = self.circle
            across, down = (x - x0) ** 2, (y - y0) ** 2
            for at in range(0, len(y), _STRIP):  # which stays in the processor's cache
                strip = slice(at, at + _STRIP)
                out[strip] &= across[None, :] + down[strip, None] <= radius**2
        if self.lit is not None:
            h, w = self.lit.shape
            i = np.clip(((y - self.origin[1]) / self.step).astype(int), 0, h - 1)
            j = np.clip(((x - self.origin[0]) / self.step).astype(int), 0, w - 1)
            out &= self.lit[np.ix_(i, j)]
        return out


def _between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Which of `[n]` rising values lie between two; where a strip is so thin that none does, the
    nearest to its middle, of two the later, as in `crop`."""
    found = (values > low) & (values < high)
    if not found.any():
        found[len(found) - 1 - np.abs(values - (low + high) / 2)[::-1].argmin()] = True
    return found


def whole(size: tuple[int, int], seen: str) -> View:
    """All of a picture of this width and height, nothing asked."""
    frame = (0.0, 0.0, float(size[0]), float(size[1]))
    return View(None, frame, None, 1.0, (0.0, 0.0), seen, "", "")


def view(upright: Upright, boxes: Sequence[Box]) -> View:
    """Looks for the field of view and at what it shows.

    Args:
      upright: in colour.
      boxes: of burned-in stamps, in upright original pixels; they say nothing.
    """
    step = max(1, math.ceil(max(upright.image.size) / SEARCH_SIDE))
    small = np.asarray(upright.image.reduce(step) if step > 1 else upright.image)
    scale, origin = float(upright.scale * step), upright.origin
    hidden = None
    if boxes:
        small = small.copy()
        hidden = np.zeros(small.shape[:2], bool)
        for box in erased(boxes, upright):
            hidden[cover(box, origin, scale, small.shape)] = True
        small[hidden] = 0
    _, small = as_grey(small)
    field = find_field(small, hidden)
    shows = scope.look(small, field)
    circle = None
    if field.circle is not None:
        found = field.circle
        circle = found.x * scale + origin[0], found.y * scale + origin[1], found.radius * scale
    why = "" if shows.eye else f"not a photograph of the inside of an eye: {shows.why}"
    if why and min(upright.size) < SMALLEST:
        w, h = upright.size
        why = f"{TOO_SMALL}: {w} x {h}, a shorter side of {SMALLEST} pixels or more is expected"
    if field.second is not None and field.circle is not None:
        why = (
            f"{TWO_FIELDS}, "
            f"{2 * field.circle.radius * scale:.0f} and {2 * field.second.radius * scale:.0f} "
            "pixels across: cut it into one eye a file"
        )
    seen = field.seen if circle is not None else f"no round field: {field.seen}"
    out = View(
        circle, _true_frame(upright, field.frame, step), None, scale, origin, seen, why, shows.empty
    )
    if circle is None:
        if field.squeezed is not None:
            h, w = field.light.shape
            bright = (field.squeezed.away((h, w)) < 1) & within((h, w), field.frame)
        else:
            bright = lit(field.light, field.frame)
        return out if bright.all() else dataclasses.replace(out, lit=bright)
    h, w = field.light.shape
    x, y = (np.arange(n) * scale + o + scale / 2 for n, o in zip((w, h), origin, strict=True))
    seen_part = out.inside(x, y)
    few = SQUARED * np.count_nonzero(seen_part)
    if np.count_nonzero(seen_part & ~field.light) > few:
        bright = lit(field.light, field.frame)
        if np.count_nonzero(seen_part & ~bright) > few and _fills(bright):
            return dataclasses.replace(out, lit=bright)  # a field squeezed to a square: an ellipse
    return out


def _fills(bright: np.ndarray) -> bool:
    """Whether what is lit reaches all four borders, as after cropping to the field."""
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    h, w = bright.shape
    ends = rows[0], h - 1 - rows[-1], columns[0], w - 1 - columns[-1]
    return len(rows) > 0 and max(ends) <= 3


def _true_frame(upright: Upright, frame: Frame, step: int) -> Frame:
    """The frame in original pixels; where padding was found its edge is looked for again there."""
    image, scale = upright.image, upright.scale
    ends = []
    for axis, (low, high) in ((0, (frame[0], frame[2])), (1, (frame[1], frame[3]))):
        size = -(-image.size[axis] // step)
        other = 1 - axis
        middle = (frame[other] + frame[other + 2]) / 2
        reach = (frame[other + 2] - frame[other]) / 6
        band = int((middle - reach) * step), int((middle + reach) * step) + 1
        found = []
        for at, outside in ((low, -1), (high, 1)):
            if at in (0, size):
                found.append(0.0 if outside < 0 else float(upright.size[axis]))
                continue
            a = max(0, int((at - 2) * step))
            b = min(image.size[axis], int((at + 2) * step) + 1)
            box = (a, band[0], b, band[1]) if axis == 0 else (band[0], a, band[1], b)
            strip = np.asarray(image.crop(box).convert("RGB")).max(axis=2)
            line = np.median(strip, axis=axis).astype(np.float64)
            light = line > (line.min() + line.max()) / 2
            if not light.any() or light.all():
                place = float(at * step)
            else:
                place = float(a + (light.argmax() if outside < 0 else b - a - light[::-1].argmax()))
            found.append(place * scale + upright.origin[axis])
        ends.append(found)
    (left, right), (top, bottom) = ends
    return left, top, right, bottom
