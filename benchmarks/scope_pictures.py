"""Pictures to fit and to try the test of scope on: photographs spoilt in part, and other pictures.

The other pictures are drawn: surfaces that cover each other (whose statistics are those of rooms
and landscapes), coloured noise, print, faces, skin, drawings, slices, any of them behind a round
aperture, too. None is a photograph.
"""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

KINDS = ("leaves", "noise", "print", "face", "skin", "drawing", "slice", "room", "eyeball")


def other_picture(rng: np.random.Generator) -> tuple[str, np.ndarray]:
    """A picture of something else, `[h, w, 3] uint8`, and its kind (one of KINDS)."""
    h = int(rng.integers(96, 257))
    w = int(np.clip(h * rng.uniform(0.7, 1.6), 96, 256))
    kind = KINDS[int(rng.integers(len(KINDS)))]
    image = _DRAW[kind](rng, h, w)
    if rng.random() < 0.3:
        image = ndimage.gaussian_filter(image, (*[rng.uniform(0.4, 1.5)] * 2, 0))
    image = image * rng.uniform(0.3, 1.2)
    if kind != "slice" and rng.random() < 0.15:  # behind a fundus camera's round aperture
        y, x = np.ogrid[:h, :w]
        radius = rng.uniform(0.4, 0.72) * max(h, w)
        image = image * (np.hypot(x - w / 2, y - h / 2) < radius)[..., None]
    return kind, _packed(image + rng.normal(0, rng.uniform(0, 4), image.shape), rng)


def spoilt(photograph: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A photograph of an eye as other cameras, other hands and other programs give it.

    Args:
      photograph: `[h, w, 3] uint8`, round field and black surround.
      rng: decides what is done to it.

    Returns:
      `[h', w', 3] uint8`, long side up to 256.
    """
    image = Image.fromarray(photograph)
    if rng.random() < 0.35:  # a square from inside the field
        side = min(image.size) * rng.uniform(0.45, 0.95)
        x, y = (rng.uniform(0.3, 0.7) * (n - side) for n in image.size)
        image = image.crop((int(x), int(y), int(x + side), int(y + side)))
    long_side = int(rng.integers(110, 257))
    scale = long_side / max(image.size)
    image = image.resize([max(96, round(n * scale)) for n in image.size], Image.Resampling.BILINEAR)
    out: np.ndarray = np.asarray(image, np.float32)
    lit = ndimage.gaussian_filter((out.max(axis=2) > 12).astype(np.float32), 1)[..., None]
    h, w = out.shape[:2]
    out = 255 * (out / 255) ** rng.uniform(0.6, 1.5) * rng.uniform(0.35, 1.3)
    out = out * rng.uniform((0.8, 0.9, 0.6), (1.05, 1.2, 1.9))  # white balance
    for part in _PARTS:
        if rng.random() < 0.12:
            out = part(out, lit, rng)
    if rng.random() < 0.25:
        out = ndimage.gaussian_filter(out, (*[rng.uniform(0.5, 5)] * 2, 0))
    out = out + rng.normal(0, rng.uniform(0, 3), out.shape) * lit
    if rng.random() < 0.2:  # padded to a square
        side = int(max(h, w) * rng.uniform(1, 1.4))
        wide = np.zeros((side, side, 3), np.float32)
        wide[(side - h) // 2 :, (side - w) // 2 :][:h, :w] = out
        out = wide
    return _packed(out, rng)


def _haze(out: np.ndarray, lit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    veil = rng.uniform((110, 110, 90), (230, 220, 220))
    share = rng.uniform(0.1, 0.75)
    place = _blob(lit.shape[:2], rng) if rng.random() < 0.5 else 1.0
    return out + (veil - out) * share * place * lit


def _shade(out: np.ndarray, lit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return out * (1 - rng.uniform(0.4, 1.0) * _blob(lit.shape[:2], rng))


def _flare(out: np.ndarray, lit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    colour = rng.uniform((150, 130, 90), (255, 255, 255))
    return out + colour * rng.uniform(0.3, 1.2) * _blob(lit.shape[:2], rng) * lit


def _ghosts(out: np.ndarray, lit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    h, w = lit.shape[:2]
    y, x = np.ogrid[:h, :w]
    for _ in range(int(rng.integers(1, 12))):
        a, b, size = rng.uniform(0.2, 0.8) * w, rng.uniform(0.2, 0.8) * h, rng.uniform(1, 9)
        spot = (np.hypot(x - a, y - b) < size)[..., None] * lit
        out = out + spot * rng.uniform(30, 160) * rng.uniform((0.7, 0.9, 0.8), (1, 1, 1))
    return out


def _lid(out: np.ndarray, lit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    h, w = lit.shape[:2]
    y, x = np.mgrid[:h, :w]
    line = h * rng.uniform(0.1, 0.45) + (x - w / 2) ** 2 / w * rng.uniform(-0.4, 0.4)
    cover = 1 / (1 + np.exp(np.clip((y - line) / rng.uniform(1, 8), -50, 50)))[..., None]
    if rng.random() < 0.5:
        cover = cover[::-1]
    colour = rng.uniform((90, 70, 50), (255, 240, 220)) * rng.uniform(0.2, 1)
    return out + (colour - out) * cover * lit


def _lashes(out: np.ndarray, lit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    h, w = lit.shape[:2]
    layer = Image.new("L", (w, h))
    pen = ImageDraw.Draw(layer)
    for _ in range(int(rng.integers(4, 25))):
        x = rng.uniform(0, w)
        end = (x + rng.normal(0, 12), h * rng.uniform(0.2, 0.6))
        pen.line([(x, 0), end], fill=255, width=int(rng.integers(1, 4)))
    cover = np.asarray(layer.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 3))), np.float32)
    return out * (1 - rng.uniform(0.5, 0.95) * cover[..., None] / 255)


def _half(out: np.ndarray, lit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    h, w = lit.shape[:2]
    y, x = np.mgrid[:h, :w] / max(h, w) - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    far = x * np.cos(angle) + y * np.sin(angle) - rng.uniform(-0.1, 0.25)
    dark = 1 / (1 + np.exp(np.clip(far / rng.uniform(0.002, 0.15), -50, 50)))
    return out * dark[..., None]


_PARTS = (_haze, _shade, _flare, _ghosts, _lid, _lashes, _half)


def _blob(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A soft spot anywhere, `[h, w, 1]` in [0, 1]."""
    h, w = shape
    y, x = np.ogrid[:h, :w]
    a, b, size = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(0.08, 0.5) * max(h, w)
    return np.exp(-((x - a) ** 2 + (y - b) ** 2) / size**2)[..., None]


def _rough(rng: np.random.Generator, h: int, w: int, slope: float) -> np.ndarray:
    """Noise with amplitude ~ frequency^-slope, `[h, w]`, mean 0, spread 1."""
    fy, fx = np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None, :]
    frequency = np.maximum(np.hypot(fy, fx), 1 / max(h, w))
    spectrum = np.fft.rfft2(rng.normal(size=(h, w))) / frequency**slope
    spectrum[0, 0] = 0
    out = np.fft.irfft2(spectrum, (h, w))
    return out / max(out.std(), 1e-6)


def _colour(rng: np.random.Generator) -> np.ndarray:
    """A colour as surfaces have them: half of them are brownish."""
    if rng.random() < 0.5:
        return rng.uniform((90, 60, 30), (240, 200, 170))
    return rng.uniform(10, 255, 3)


def _leaves(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    image = Image.new("RGB", (w, h))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(60, 400))):
        size = min(0.4 * h, 3 / rng.random() ** 0.7)
        x, y = rng.uniform(0, w), rng.uniform(0, h)
        box = (x - size, y - size * rng.uniform(0.4, 1), x + size, y + size)
        fill = tuple(int(v) for v in _colour(rng))
        (pen.ellipse if rng.random() < 0.5 else pen.rectangle)(box, fill=fill)
    texture = _rough(rng, h, w, 1)[..., None] * rng.uniform(0, 15)
    return np.asarray(image, np.float32) + texture


def _noise(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    base, tint = _colour(rng), rng.uniform(0, 25)
    grain = _rough(rng, h, w, rng.uniform(0.2, 1.3))[..., None] * rng.uniform(10, 60)
    own = np.stack([_rough(rng, h, w, 1.2) for _ in range(3)], axis=2)
    return base + grain * rng.uniform(0.7, 1, 3) + own * tint


def _print(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    paper = tuple(int(v) for v in rng.uniform((200, 195, 180), (255, 255, 250)))
    image = Image.new("RGB", (w, h), paper)
    pen = ImageDraw.Draw(image)
    ink = tuple(int(v) for v in rng.uniform(0, 90, 3))
    line = int(rng.integers(6, 16))
    for y in range(line, h - line, line + 2):
        x = 8.0
        while x < w - 12:
            word = rng.uniform(5, 30)
            pen.rectangle((x, y, min(x + word, w - 8), y + line // 2), fill=ink)
            x += word + rng.uniform(3, 8)
    return np.asarray(image, np.float32)


def _skin(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    tone = rng.uniform((110, 70, 45), (245, 205, 175))
    pores = _rough(rng, h, w, rng.uniform(0.2, 0.9))[..., None] * rng.uniform(8, 26)
    light = 1 + 0.2 * _rough(rng, h, w, 2)[..., None]
    return tone * np.clip(light, 0.3, 1.6) + pores * rng.uniform((0.9, 0.85, 0.7), (1, 1, 1))


def _face(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    out = np.ones((h, w, 3), np.float32) * _colour(rng)
    skin = _skin(rng, h, w)
    image = Image.new("L", (w, h))
    pen = ImageDraw.Draw(image)
    pen.ellipse((0.2 * w, 0.05 * h, 0.8 * w, 0.95 * h), fill=255)
    face = np.asarray(image, np.float32)[..., None] / 255
    out = out + (skin - out) * face
    image = Image.fromarray(np.clip(out, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    dark = tuple(int(v) for v in rng.uniform(10, 90, 3))
    for x in (0.37, 0.63):
        pen.ellipse(((x - 0.07) * w, 0.36 * h, (x + 0.07) * w, 0.44 * h), fill=(245, 245, 245))
        pen.ellipse(((x - 0.03) * w, 0.365 * h, (x + 0.03) * w, 0.435 * h), fill=dark)
        pen.line([((x - 0.08) * w, 0.31 * h), ((x + 0.08) * w, 0.3 * h)], fill=dark, width=4)
    pen.ellipse((0.4 * w, 0.7 * h, 0.6 * w, 0.76 * h), fill=(170, 60, 60))
    pen.chord((0.17 * w, 0.0, 0.83 * w, 0.5 * h), 180, 360, fill=dark)
    return np.asarray(image, np.float32)


def _drawing(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    image = Image.new("RGB", (w, h), tuple(int(v) for v in rng.uniform(180, 256, 3)))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(5, 40))):
        ink = tuple(int(v) for v in rng.uniform(0, 255, 3))
        points = [(rng.uniform(0, w), rng.uniform(0, h)) for _ in range(int(rng.integers(2, 6)))]
        pen.line(points, fill=ink, width=int(rng.integers(1, 6)))
    return np.asarray(image, np.float32)


def _slice(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    """A tinted grey picture with layers or organs in it."""
    y, x = np.mgrid[:h, :w]
    wave = y + 12 * np.sin(x / w * rng.uniform(1, 6)) + 6 * _rough(rng, h, w, 1.6)
    level = 110 + 90 * np.sin(wave / h * rng.uniform(8, 40)) + 25 * _rough(rng, h, w, 0.5)
    tint = np.array([1, 1, 1]) * rng.uniform((0.85, 0.85, 0.8), (1, 1, 1))
    return level[..., None] * tint


def _room(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    """Out of focus and dark: lamps, doors, people."""
    out = ndimage.gaussian_filter(_leaves(rng, h, w), (*[rng.uniform(0.7, 4)] * 2, 0))
    if rng.random() < 0.5:  # all but black, in the light of a lamp
        light = rng.uniform((10, 2, 0), (70, 25, 20)) / max(float(out.mean()), 1)
        out = out * light + _rough(rng, h, w, 0.3)[..., None] * rng.uniform(0, 4)
        for _ in range(int(rng.integers(0, 4))):  # reflections of the flash
            y, x = np.ogrid[:h, :w]
            away = np.hypot(x - rng.uniform(0, w), y - rng.uniform(0, h))
            spot = np.exp(-((away / rng.uniform(2, 8)) ** 2))[..., None]
            out = out + spot * rng.uniform((60, 80, 110), (255, 255, 255))
        return out
    return out * rng.uniform(0.1, 0.6) * rng.uniform((0.9, 0.7, 0.5), (1, 1, 1))


def _eyeball(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    """The eye from outside: skin, lids, white, iris, pupil, a reflection, lashes."""
    image = Image.fromarray(np.clip(_skin(rng, h, w), 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    x, y = w * rng.uniform(0.4, 0.6), h * rng.uniform(0.4, 0.6)
    size = min(h, w) * rng.uniform(0.15, 0.4)
    white = tuple(int(v) for v in rng.uniform((190, 160, 140), (250, 235, 225)))
    pen.ellipse((x - 2 * size, y - size, x + 2 * size, y + size), fill=white)
    iris = tuple(int(v) for v in rng.uniform((40, 30, 10), (150, 130, 120)))
    for share, fill in ((0.9, iris), (rng.uniform(0.3, 0.6), (12, 10, 10)), (0.1, (255, 255, 255))):
        r = size * share
        pen.ellipse((x - r, y - r, x + r, y + r), fill=fill)
    for _ in range(int(rng.integers(5, 30))):
        a = x + rng.uniform(-2, 2) * size
        pen.line(
            [(a, y - size), (a + rng.normal(0, 8), y - 1.6 * size)], fill=(30, 20, 15), width=1
        )
    out = ndimage.gaussian_filter(np.asarray(image, np.float32), (*[rng.uniform(0.3, 4)] * 2, 0))
    if rng.random() < 0.3:  # in the dark, lit by a slit
        down, across = np.ogrid[:h, :w]
        away = np.hypot((across - w / 2) / w, (down - h / 2) / h)
        tint = rng.uniform((0.8, 0.5, 0.15), (1.2, 0.9, 0.6))
        out = out * np.exp(-((away / rng.uniform(0.15, 0.4)) ** 2))[..., None] * tint
    return out


_DRAW = dict(
    zip(
        KINDS,
        (_leaves, _noise, _print, _face, _skin, _drawing, _slice, _room, _eyeball),
        strict=True,
    )
)


def _packed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """8 bits, through JPEG of any quality."""
    out = io.BytesIO()
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(out, "JPEG", quality=int(rng.integers(50, 98)))
    return np.asarray(Image.open(out))
