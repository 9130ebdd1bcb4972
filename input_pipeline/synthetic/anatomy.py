"""Draws a fundus photograph of a given seed, with the truth of everything in it."""

import dataclasses

import numpy as np

from input_pipeline.synthetic import background, cameras, fields, lesions, raster, steering
from input_pipeline.synthetic import eye as eyes
from input_pipeline.synthetic import vascular_tree as vessels
from input_pipeline.synthetic.cameras import STYLES
from input_pipeline.synthetic.lesions import LESIONS, SHARE

__all__ = ["LESIONS", "STYLES", "Drawn", "draw"]


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A synthetic photograph and what is in it. `S` is the side in pixels; (y, x) are in pixels."""

    image: np.ndarray  # [S, S, 3] uint8 RGB, black outside the field
    fov: np.ndarray  # [S, S] uint8, 1 inside the field
    vessels: np.ndarray  # [S, S, 3] uint8 coverage 0..255: R artery, G vein, B either
    clean0: np.ndarray  # [S, S, 3] uint8, the same photograph rendered without vessels
    disc: tuple[float, float, float]  # cy, cx, radius
    fovea: tuple[float, float]  # cy, cx; may lie outside the photograph
    lesions: np.ndarray  # [S, S] uint8 codes of `LESIONS`
    grade: int  # 0-4, ICDR
    eye: str  # 'L' | 'R'
    centre: str  # 'disc' | 'macula'
    style: str  # key of `STYLES`
    degrees: float  # width of the field


def _streams(seed: int) -> list[np.random.SeedSequence]:
    """Independent randomness for each part of a drawing, so that one does not shift another."""
    return np.random.SeedSequence([seed, 20]).spawn(9)


def grade_of(seed: int) -> int:
    """The grade that `draw` gives a seed when none is asked for; shares are `lesions.SHARE`."""
    rng = np.random.Generator(np.random.PCG64(_streams(seed)[8]))
    return int(rng.choice(5, p=SHARE))


def draw(
    seed: int,
    side: int,
    style: str = "a",
    grade: int | None = None,
    lesion_scale: float = 1.0,
) -> Drawn:
    """Draws one fundus photograph. A pure function of its arguments.

    Args:
      seed: which eye; 0 or more.
      side: pixels of the square photograph, at least 32.
      style: camera, a key of `STYLES`; of several letters ('abc') the seed picks one.
      grade: diabetic retinopathy 0-4 (ICDR); drawn by `lesions.SHARE` when None.
      lesion_scale: size of lesions, 1 as in nature; most of those are less than two pixels in a
        photograph of 96.

    Returns:
      Drawn.

    Raises:
      ValueError: a style, grade, side, seed or scale that does not exist.
    """
    if not style or set(style) - set(STYLES):
        raise ValueError(f"style {style!r}: expected one or more letters of {sorted(STYLES)}")
    if grade is not None and grade not in range(5):
        raise ValueError(f"grade {grade!r} is none of 0, 1, 2, 3, 4")
    if side < 32 or seed < 0:
        raise ValueError(f"side {side} (at least 32) or seed {seed} (at least 0) is out of range")
    if not 0 < lesion_scale <= 10:
        raise ValueError(f"lesion_scale {lesion_scale!r}: expected more than 0 and at most 10")
    of_eye, of_camera, of_trees, of_ground, of_disease, of_blood, of_light, of_noise = (
        np.random.Generator(np.random.PCG64(stream)) for stream in _streams(seed)[:8]
    )
    letter = style[int(of_camera.integers(len(style)))]
    camera = cameras.shoot(of_camera, STYLES[letter])
    eye = eyes.sample_eye(of_eye)
    is_right = bool(of_eye.random() < 0.5)
    grade = grade_of(seed) if grade is None else grade

    mirror = 1.0 if is_right else -1.0
    aim = camera.aim
    if camera.centre == "disc":
        centre = (eye.disc[0] - 2.0 + aim[0], eye.disc[1] + aim[1])
    else:
        centre = (2.5 + aim[0], -0.5 + aim[1])
    at = background.grid(side, camera.degrees, centre, mirror)
    reach = camera.degrees / 2
    disease = lesions.sample(of_disease, eye, grade, centre, reach, reach * camera.cut)
    disease = lesions.enlarged(disease, lesion_scale)
    tree = vessels.grow(of_trees, eye, centre, reach + 0.6)

    field = cameras.field_of_view(camera, side)
    inside = field > 0.5
    arteries, veins = _trees(of_blood, tree, disease, mirror, centre, at, inside)
    ground = background.paint(of_ground, eye, at, camera.colour)
    blood, veil, tint, labels = lesions.paint(disease, at, inside, camera.colour)
    shade = cameras.light(of_light, camera, side)[..., None]

    def scene(density: np.ndarray, reflex: np.ndarray | float) -> np.ndarray:
        picture = ground + veil[..., None] * (tint - ground)
        return picture * np.exp(-density) * shade + reflex

    red = np.array([0.13, 1.0, 0.55], np.float32) * blood[..., None]
    density, reflex = _blood(of_blood, arteries, veins, camera, at)
    image, clean0 = cameras.expose(
        of_noise, [scene(density + red, reflex * shade), scene(red, 0.0)], field, camera
    )
    either = np.maximum(arteries.cover, veins.cover)
    truth = np.stack([arteries.cover, veins.cover, either], -1)

    def pixel(x: float, y: float) -> tuple[float, float]:
        middle = side / 2 - 0.5
        return middle + (y - centre[1]) * at.scale, middle + mirror * (x - centre[0]) * at.scale

    return Drawn(
        image,
        inside.astype(np.uint8),
        np.round(truth * 255).astype(np.uint8),
        clean0,
        (*pixel(*eye.disc), eye.radius * at.scale),
        pixel(0.0, 0.0),
        labels,
        grade,
        "R" if is_right else "L",
        camera.centre,
        letter,
        camera.degrees,
    )


def _trees(
    rng: np.random.Generator,
    tree: list[vessels.Vessel],
    disease: lesions.Disease,
    mirror: float,
    centre: tuple[float, float],
    at: background.Grid,
    inside: np.ndarray,
) -> tuple[raster.Tree, raster.Tree]:
    """Arteries and veins on the pixel grid; the field's edge cuts them, beading swells veins."""
    strength = rng.normal(1, 0.2, len(tree)).clip(0.5, 1.6)
    beaded = []
    for vessel in tree:
        radius = vessel.radius
        if disease.beading and not vessel.artery:
            along = np.arange(len(radius)) * steering.STEP
            swell = 1 + 0.4 * np.sin(2 * np.pi * along / 1.1 + rng.uniform(0, 6))
            hit = [
                lesions.quadrant(x, y, disease.quadrants) in disease.beading
                for x, y in vessel.points
            ]
            radius = np.where(hit, radius * swell, radius)
        beaded.append(dataclasses.replace(vessel, radius=radius))
    out = []
    for artery in (True, False):
        chains = raster.to_chains(
            beaded, artery, mirror, centre, at.scale, at.side, strength.tolist()
        )
        one = raster.paint(chains, at.side)
        out.append(dataclasses.replace(one, cover=one.cover * inside, chord=one.chord * inside))
    return out[0], out[1]


def _blood(
    rng: np.random.Generator,
    arteries: raster.Tree,
    veins: raster.Tree,
    camera: cameras.Camera,
    at: background.Grid,
) -> tuple[np.ndarray, np.ndarray]:
    """Optical density [S, S, 3] of the vessels and their light reflex [S, S, 3] (grey levels).

    Densities are those of HRF's photographs: in green 0.5 at the centre of the widest veins, 0.25
    of arteries, less than in proportion to their calibre; veins absorb red too. The reflex along
    an artery is about a third of its calibre wide (Brinchmann-Hansen and Heier, Acta Ophthalmol
    Suppl 179, 1986).
    """
    side = at.side
    uneven = 1 + 0.2 * fields.smooth(rng, side, background.side_cells(at, 3.0))
    total = np.zeros((side, side, 3), np.float32)
    shine = np.zeros((side, side), np.float32)
    dense: list[np.ndarray] = []
    settings = ((arteries, 0.33, 0.4, 0.55, 0.05), (veins, 0.5, 0.55, 0.25, 0.15))
    # where the sensor sees little blue, what it sees is mostly scattered light
    share = camera.colour[2] / camera.colour[1]
    blue = float(np.clip(rng.uniform(0.1, 0.5) + 1.4 * (share - 0.4), 0.1, 1.0))
    red = rng.uniform(0.6, 1.4)
    glint = rng.uniform(0.2, 1.0)
    for one, peak, power, reflex, in_red in settings:
        calibre = 2 * one.radius / at.scale  # degrees
        density = peak * camera.contrast * (np.maximum(calibre, 1e-3) / 0.4) ** power
        streak = np.exp(-((one.offset / 0.36) ** 2)) * np.clip(one.radius / 1.6 - 0.25, 0, 1)
        density = density * one.chord * one.strength * uneven * (1 - reflex * glint * streak)
        dense.append(density)
        shine += 14 * reflex * glint * streak * one.cover
        total += density[..., None] * np.array([in_red * red, 1.0, blue], np.float32)
    both = np.minimum(dense[0], dense[1])  # where they cross the one in front hides part
    total -= 0.6 * both[..., None] * np.array([0.1, 1.0, blue], np.float32)
    return total, shine[..., None] * np.array([1.2, 0.6, 0.4], np.float32)
