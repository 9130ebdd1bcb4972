"""Every picture of the repository is known, and shows photographs of open licences only."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
KINDS = {
    *(".png", ".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".svg"),
    *(".dcm", ".jp2", ".avif", ".heic", ".ico", ".npy", ".npz", ".pdf", ".mp4"),
}
BUILT = {".git", ".venv", "build", "dist", "runs", "node_modules", "shared"}

# CC BY 4.0: HRF (Budai et al. 2013), CHASE_DB1 (Owen et al. 2009), IDRiD (Porwal et al. 2018).
SHOWN = {
    "docs/defects.png": "a table of figures",
    "docs/drawn_and_real.jpg": "synthetic eyes beside HRF and CHASE_DB1",
    "docs/graded_photographs.png": "figures about photographs",
    "docs/many_files.png": "figures",
    "docs/maps_photographs.jpg": "HRF and CHASE_DB1",
    "docs/report.jpg": "HRF",
    "docs/serve.jpg": "HRF, locally degraded",
    "docs/speed.png": "a table of figures",
}
NUMBERS = "tests/golden/"  # outputs of published networks on numbers from a generator


def files():
    """Pictures and arrays below the root, but for what is built there."""
    for folder, inner, names in os.walk(ROOT):
        inner[:] = [d for d in inner if d not in BUILT and not d.endswith(("cache", ".egg-info"))]
        if Path(folder).name.startswith("fiqa-"):
            inner[:] = []
            continue
        for name in names:
            path = Path(folder, name)
            if path.suffix.lower() in KINDS:
                yield path.relative_to(ROOT).as_posix()


def test_every_picture_is_known():
    found = {path for path in files() if not path.startswith(NUMBERS)}
    assert found == set(SHOWN)


def test_every_photograph_has_its_credit_on_a_page_that_shows_it():
    pages = {p: p.read_text(encoding="utf-8") for p in ROOT.glob("*.md")}
    pages |= {p: p.read_text(encoding="utf-8") for p in (ROOT / "docs").glob("*.md")}
    for picture, shown in SHOWN.items():
        using = [
            text
            for text in pages.values()
            if f"({Path(picture).name})" in text or f"({picture})" in text
        ]
        assert using, picture
        for name in ("HRF", "CHASE_DB1", "IDRiD"):
            if name in shown:
                assert all(name in text and "CC BY 4.0" in text for text in using), (picture, name)
