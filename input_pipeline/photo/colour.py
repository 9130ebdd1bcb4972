"""Pictures whose light is all in one channel: red-free photographs, or a channel saved alone."""

import numpy as np

DARK = 10  # grey levels; a channel that stays below holds nothing
_FEW = 50  # pixels that may be brighter


def as_grey(image: np.ndarray) -> tuple[str, np.ndarray]:
    """A picture of one channel as grey.

    Args:
      image: `[h, w, C] uint8`.

    Returns:
      A note, '' where nothing was done; and the picture, the one channel three times.
    """
    few = min(_FEW, image.shape[0] * image.shape[1])
    if image.shape[2] != 3:
        return "", image
    sample = image[::4, ::4]
    if sum(np.count_nonzero(sample[..., c] > DARK) > few for c in range(3)) > 1:
        return "", image  # two channels hold light: the usual case, seen at once
    top = np.array([np.partition(image[..., c].ravel(), -few)[-few] for c in range(3)])
    lit = int(top.argmax())
    if top[lit] < 4 * DARK or np.delete(top, lit).max() > DARK:
        return "", image
    name = ("red", "green", "blue")[lit]
    return f"{name} only, read as grey", np.repeat(image[..., lit : lit + 1], 3, axis=2)
