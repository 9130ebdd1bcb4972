"""The one reader of photographs: bytes -> upright pixels -> field of view -> square crop."""

from input_pipeline.photo.errors import PhotoError
from input_pipeline.photo.reader import Photo, read_photo

__all__ = ["Photo", "PhotoError", "read_photo"]
