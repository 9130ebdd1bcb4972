"""The one reader of photographs: bytes -> upright pixels -> field of view -> square crop.

The reader is imported when it is used: what only needs suffixes or errors does not load SciPy.
"""

from typing import TYPE_CHECKING, Any

from input_pipeline.photo.errors import PhotoError as PhotoError

if TYPE_CHECKING:
    from input_pipeline.photo.reader import Photo as Photo
    from input_pipeline.photo.reader import read_photo as read_photo


def __getattr__(name: str) -> Any:
    if name not in ("Photo", "read_photo"):
        raise AttributeError(f"module 'input_pipeline.photo' has no attribute {name!r}")
    from input_pipeline.photo import reader

    return getattr(reader, name)
