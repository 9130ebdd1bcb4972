"""How large a picture may be, and how much memory its decoding may take."""

from input_pipeline.photo.errors import problem

MAX_PIXELS = 200_000_000  # larger pictures are refused from their header, before any is decoded
MAX_SIDE = 65_535  # pixels, the most that a JPEG can have; a longer picture shows no eye
MEMORY = 2**30  # bytes that decoding one picture may take; more are refused from the header


def check_size(width: int, height: int, name: str) -> None:
    """Raises PhotoError for a picture of more than MAX_PIXELS, of a longer side, or of none."""
    if width < 1 or height < 1:
        raise problem(name, f"a picture of {width} x {height} pixels", "is it the right file?")
    if width * height > MAX_PIXELS:
        raise problem(
            name,
            f"a picture of {width} x {height} pixels, more than {MAX_PIXELS // 10**6} million: "
            "a damaged header, or a decompression bomb",
            "export it smaller",
        )
    if max(width, height) > MAX_SIDE:
        raise problem(
            name,
            f"a picture of {width} x {height} pixels, more than {MAX_SIDE:,} along a side",
            "is it the right file?",
        )


def check_memory(needed: float, width: int, height: int, mode: str, name: str) -> None:
    """Raises PhotoError where decoding needs more than MEMORY bytes."""
    if needed > MEMORY:
        raise problem(
            name,
            f"a picture of {width} x {height} pixels and mode {mode}, which takes more than "
            f"{MEMORY >> 30} GiB to decode",
            "export it smaller, or as RGB of 8 bits",
        )
