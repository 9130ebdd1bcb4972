"""A quality map at another size."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def resized(quality: NDArray[np.floating], height: int, width: int) -> NDArray[np.float32]:
    """A map `[h, w]` of any range at `[height, width]`, bilinear between the centres of cells."""
    picture = Image.fromarray(np.asarray(quality, np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))
