"""A Python file that lies among the photographs is not run by the ways in that documents name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fiqa_jax.predictions import schema

ROOT = Path(__file__).resolve().parents[2]
CONSOLE = "import sys\nfrom fiqa_jax.cli import main\nsys.exit(main())\n"  # as pip writes `fiqa`


@pytest.fixture
def folder(tmp_path):
    """A working directory with a DICOM file and a planted pydicom.py that leaves a mark."""
    pydicom = pytest.importorskip("pydicom")
    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
    made.SOPInstanceUID = "1.2.3"
    made.Rows = made.Columns = 64
    made.SamplesPerPixel, made.PhotometricInterpretation = 3, "RGB"
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation, made.PlanarConfiguration = 7, 0, 0
    made.PixelData = bytes(64 * 64 * 3)
    made["PixelData"].VR = "OB"
    here = tmp_path / "photographs"
    here.mkdir()
    made.save_as(here / "eye.dcm", enforce_file_format=True)
    (here / "pydicom.py").write_text("open('planted.txt', 'w').close()\n")
    return here


def started(here, *command):
    """Runs Python in the folder; whether the planted file was run, and the process."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    env.pop("PYTHONSAFEPATH", None)
    found = subprocess.run(
        [sys.executable, *command], cwd=here, env=env, capture_output=True, text=True
    )
    return (here / "planted.txt").exists(), found


def test_the_planted_file_would_run_from_the_working_directory(folder):
    """Else the two tests below could not fail."""
    ran, _ = started(folder, "-c", "import pydicom")
    assert ran


@pytest.mark.slow
@pytest.mark.parametrize("way", ["console command", "python -P -m"])
def test_a_planted_module_is_not_run(folder, tmp_path, way):
    if way == "console command":
        (tmp_path / "bin").mkdir()
        script = tmp_path / "bin" / "fiqa"
        script.write_text(CONSOLE)
        command = [str(script), "predict"]
    else:
        command = ["-P", "-m", "fiqa_jax.predict"]
    ran, found = started(folder, *command, "eye.dcm", "--allow-frame", "--output", "out")
    assert not ran, found.stderr
    (row,) = schema.read_rows(folder / "out" / "predictions.csv")
    assert (row["path"], row["status"]) == ("eye.dcm", "ok"), found.stderr
