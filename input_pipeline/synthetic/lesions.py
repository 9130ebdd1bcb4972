"""Diabetic retinopathy, grades 0 to 4 of the international clinical scale.

The scale (Wilkinson et al., Ophthalmology 110:1677, 2003) counts what is seen:
0 nothing; 1 microaneurysms only; 2 more than that, less than 3; 3 more than 20 intraretinal
haemorrhages in each of four quadrants, or definite venous beading in two or more (the third
criterion, prominent microvascular anomalies, is not drawn); 4 new vessels or a preretinal
haemorrhage. Quadrants are those of the photograph's field.

Looks: microaneurysms are round red dots up to 125 micrometres (0.43 degrees), haemorrhages larger:
dots and blots, or flames along the nerve fibres; hard exudates are yellow-white with sharp edges,
single, clustered or in rings; cotton wool spots pale with feathered edges, up to a third of a disc
diameter; new vessels fine loops on the disc or at the arcades.
"""

import dataclasses
import math

import numpy as np

from input_pipeline.synthetic.background import Grid
from input_pipeline.synthetic.eye import Eye

LESIONS = (
    "none",
    "microaneurysm",
    "haemorrhage",
    "hard exudate",
    "cotton wool",
    "neovascular",
)
SHARE = (0.5, 0.14, 0.2, 0.09, 0.07)  # of the five grades where none is asked for


@dataclasses.dataclass(frozen=True)
class Lesion:
    """One lesion, in degrees of a right eye."""

    code: int  # index into `LESIONS`
    x: float
    y: float
    length: float  # half axes
    width: float
    angle: float
    seed: int


@dataclasses.dataclass(frozen=True)
class Disease:
    """What a grade means for one eye."""

    grade: int
    lesions: tuple[Lesion, ...]
    beading: tuple[int, ...]  # quadrants with beaded veins
    quadrants: tuple[float, float]  # x, y of the point that parts the quadrants


def quadrant(x: float, y: float, middle: tuple[float, float]) -> int:
    """Quadrant 0-3 of a point about `middle`: +1 to the nose, +2 below."""
    return int(x > middle[0]) + 2 * int(y > middle[1])


def sample(
    rng: np.random.Generator,
    eye: Eye,
    grade: int,
    centre: tuple[float, float],
    reach: float,
    half_height: float,
) -> Disease:
    """Draws the lesions of a grade.

    Args:
      rng: source of randomness.
      eye: disc and fovea.
      grade: 0-4.
      centre: (x, y) of the field in degrees.
      reach: its radius in degrees.
      half_height: half of its height in degrees; less than `reach` for a cut field.
    """
    out: list[Lesion] = []

    def place(
        code: int, size: tuple[float, float], within: int | None = None, long: float = 1.0
    ) -> None:
        for _ in range(200):
            r, phi = reach * 0.92 * math.sqrt(rng.random()), rng.uniform(0, 2 * math.pi)
            x, y = centre[0] + r * math.cos(phi), centre[1] + r * math.sin(phi)
            if abs(y - centre[1]) > 0.92 * half_height:
                continue
            if within is not None and quadrant(x, y, centre) != within:
                continue
            away = math.hypot(x - eye.disc[0], y - eye.disc[1])
            if code != 5 and away < 1.3 * eye.radius:
                continue
            if code == 4 and not 1.5 * eye.radius < away < 14:
                continue
            break
        half = 0.5 * rng.uniform(*size)
        along = math.atan2(y - eye.disc[1], x - eye.disc[0]) + rng.normal(0, 0.2)
        seed = int(rng.integers(2**31))
        out.append(Lesion(code, x, y, half * long, half, along, seed))

    def haemorrhage(within: int | None = None) -> None:
        if rng.random() < 0.35:  # flame
            place(2, (0.14, 0.4), within, rng.uniform(2.0, 4.0))
        else:
            place(
                2,
                (0.22, 0.95) if rng.random() < 0.35 else (0.18, 0.45),
                within,
                rng.uniform(1.0, 1.5),
            )

    beading: tuple[int, ...] = ()
    if grade >= 1:
        for _ in range(int(rng.integers(2, 9) if grade == 1 else rng.integers(5, 26))):
            place(1, (0.1, 0.26))
    if grade >= 2:
        for _ in range(int(rng.integers(2, 17))):  # at most 16: no quadrant can exceed 20
            haemorrhage()
        _exudates(rng, eye, centre, reach, half_height, out)
        for _ in range(int(rng.choice(4, p=(0.5, 0.25, 0.15, 0.1)))):
            place(4, (0.7, 1.9), None, rng.uniform(1.0, 1.5))
    if grade == 3:
        if rng.random() < 0.6:
            for part in range(4):
                for _ in range(int(rng.integers(21, 31))):
                    haemorrhage(part)
        else:
            many = int(rng.integers(2, 5))
            beading = tuple(sorted(int(q) for q in rng.choice(4, many, replace=False)))
    if grade == 4:
        for _ in range(int(rng.integers(1, 4))):
            place(5, (2.0, 5.0))
        if rng.random() < 0.4:  # on the disc
            half = eye.radius * rng.uniform(0.6, 1.1)
            place(5, (2 * half, 2 * half))
            last = out.pop()
            out.append(dataclasses.replace(last, x=eye.disc[0], y=eye.disc[1]))
        if rng.random() < 0.3:  # preretinal: a boat with a level surface
            place(2, (1.5, 2.6), None, 1.8)
            out.append(dataclasses.replace(out.pop(), angle=0.0, seed=-1))
    return Disease(grade, tuple(out), beading, centre)


def _exudates(
    rng: np.random.Generator,
    eye: Eye,
    centre: tuple[float, float],
    reach: float,
    half_height: float,
    out: list[Lesion],
) -> None:
    for _ in range(int(rng.choice(4, p=(0.3, 0.35, 0.2, 0.15)))):
        r, phi = rng.uniform(0.12, 0.75) * reach, rng.uniform(0, 2 * math.pi)
        cx = centre[0] + r * math.cos(phi)
        cy = centre[1] + min(r, 0.8 * half_height) * math.sin(phi)
        ring = rng.random() < 0.3
        spread = rng.uniform(0.5, 2.2)
        for _ in range(int(rng.integers(4, 26))):
            phi = rng.uniform(0, 2 * math.pi)
            r = spread * (rng.normal(1, 0.12) if ring else abs(rng.normal(0, 0.6)))
            x, y = cx + r * math.cos(phi), cy + r * math.sin(phi)
            if math.hypot(x - eye.disc[0], y - eye.disc[1]) < 1.25 * eye.radius:
                continue
            half = 0.5 * min(0.75, 0.1 + rng.exponential(0.12))
            out.append(
                Lesion(
                    3,
                    x,
                    y,
                    half * rng.uniform(1, 1.6),
                    half,
                    rng.uniform(0, math.pi),
                    int(rng.integers(2**31)),
                )
            )


def enlarged(disease: Disease, scale: float) -> Disease:
    """The same lesions in the same places, `scale` times as large; those of nature are 1."""
    larger = (
        dataclasses.replace(one, length=scale * one.length, width=scale * one.width)
        for one in disease.lesions
    )
    return dataclasses.replace(disease, lesions=tuple(larger))


def paint(
    disease: Disease, at: Grid, inside: np.ndarray, colour: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Paints the lesions on the pixel grid.

    Args:
      disease: from `sample`.
      at: pixel positions.
      inside: [S, S] bool, the field.
      colour: mean grey levels of the field.

    Returns:
      blood [S, S] float32 (optical density in green of what lies in or before the vessels),
      veil [S, S] float32 (opacity of bright lesions), veil colour [S, S, 3] float32 and labels
      [S, S] uint8 (index into `LESIONS`; the later code wins where two overlap).
    """
    side = at.side
    blood, veil = np.zeros((side, side), np.float32), np.zeros((side, side), np.float32)
    tint = np.zeros((side, side, 3), np.float32)
    labels = np.zeros((side, side), np.uint8)
    red = 1.2 * colour[0] + 15
    yellow = np.minimum(red * np.array([1.0, 0.86, 0.5]), (255, 235, 170))
    white = np.minimum(red * np.array([0.92, 0.82, 0.7]), (240, 225, 205))
    for item in sorted(disease.lesions, key=lambda one: one.code):
        rng = np.random.default_rng(abs(item.seed))
        reach = 1.6 * item.length + 3 / at.scale
        rows = np.flatnonzero(np.abs(at.y[:, 0] - item.y) < reach)
        columns = np.flatnonzero(np.abs(at.x[0] - item.x) < reach)
        if not len(rows) or not len(columns):
            continue
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        dx, dy = at.x[:, box[1]] - item.x, at.y[box[0]] - item.y
        u = (dx * math.cos(item.angle) + dy * math.sin(item.angle)) / item.length
        v = (-dx * math.sin(item.angle) + dy * math.cos(item.angle)) / item.width
        phi = np.arctan2(v, u)
        a, b, c = rng.uniform(0, 2 * math.pi, 3)
        rough = {1: 0.03, 2: 0.16, 3: 0.14, 4: 0.2}.get(item.code, 0.0)
        wave = np.sin(2 * phi + a) + 0.7 * np.sin(3 * phi + b) + 0.5 * np.sin(5 * phi + c)
        r = np.hypot(u, v) / (1 + rough * wave)
        pixel = 1 / (at.scale * min(item.length, item.width))
        if item.code == 5:
            cover = _tuft(rng, u, v, pixel)
            blood[box] = np.maximum(blood[box], 0.32 * cover)
        elif item.code == 4:
            strands = 1 + 0.25 * np.sin(9 * v + 3 * a) * np.exp(-(v**2))
            cover = np.clip(np.exp(-((r / 0.75) ** 2.5)) * strands, 0, 1)
            tint[box][cover > veil[box]] = white
            veil[box] = np.maximum(veil[box], rng.uniform(0.5, 0.85) * cover)
        elif item.seed < 0:  # preretinal blood sinks: flat on top
            cover = np.clip((1 - r) / pixel + 0.5, 0, 1) * np.clip((v + 0.15) / pixel, 0, 1)
            blood[box] = np.maximum(blood[box], 1.1 * cover)
        else:
            cover = np.clip((1 - r) / pixel + 0.5, 0, 1) * min(1.0, 1.4 / pixel)
            if item.code == 3:
                tint[box][cover > veil[box]] = yellow
                veil[box] = np.maximum(veil[box], rng.uniform(0.55, 0.95) * cover)
            else:
                fringe = np.sqrt(np.clip(1 - 0.7 * r**2, 0.2, 1))
                dense = rng.uniform(0.4, 0.6) if item.code == 1 else rng.uniform(0.4, 0.85)
                blood[box] = np.maximum(blood[box], dense * cover * fringe)
        core = (cover >= min(0.5, 0.7 * float(cover.max(initial=0)))) & (cover > 0.1)
        labels[box][core] = item.code
    outside = ~inside
    blood[outside], veil[outside], labels[outside] = 0, 0, 0
    return blood, veil, tint, labels


def _tuft(rng: np.random.Generator, u: np.ndarray, v: np.ndarray, pixel: float) -> np.ndarray:
    """Coverage of a tuft of new vessels in its own unit disc: fine, looping threads."""
    cover = np.zeros(np.broadcast(u, v).shape, np.float32)
    thick = max(0.025, 0.45 * pixel)
    for _ in range(int(rng.integers(6, 12))):
        phi, spin = rng.uniform(0, 2 * math.pi), rng.choice((-1.0, 1.0)) * rng.uniform(2.5, 5.0)
        t = np.linspace(0, 1, 28)
        r = 0.95 * np.sin(math.pi * t * rng.uniform(0.5, 0.95)) * rng.uniform(0.5, 1.0)
        px = r * np.cos(phi + spin * t) + 0.05 * np.sin(17 * t + phi)
        py = r * np.sin(phi + spin * t) + 0.05 * np.cos(15 * t + spin)
        for x, y in zip(px, py, strict=True):
            d = np.hypot(u - x, v - y)
            cover = np.maximum(
                cover, np.clip((thick - d) / pixel + 0.5, 0, min(1, 2 * thick / pixel))
            )
    return cover.astype(np.float32)
