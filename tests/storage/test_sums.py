"""Lists of digests: what `sha256sum` writes and reads, and damage that is found and named."""

import hashlib
import shutil
import subprocess

import numpy as np
import pytest

from fiqa_jax import verify
from input_pipeline import sums
from input_pipeline.storage import shards
from input_pipeline.storage.shards import ShardError


def flip(file, place=0.5):
    data = bytearray(file.read_bytes())
    data[int(len(data) * place)] ^= 4
    file.write_bytes(data)


def test_a_list_is_that_of_sha256sum(tmp_path):
    names = ["a.txt", "sub/b", "line\nbreak", "back\\slash"]
    (tmp_path / "sub").mkdir()
    for name in names:
        (tmp_path / name).write_text(name)
    sums.write(tmp_path, names)
    want = {name: hashlib.sha256(name.encode()).hexdigest() for name in names}
    assert sums.read(tmp_path) == want
    if shutil.which("sha256sum"):
        done = subprocess.run(["sha256sum", "-c", "--strict", sums.FILE], cwd=tmp_path, check=False)
        assert done.returncode == 0
    sums.check_folder(tmp_path)
    flip(tmp_path / "sub" / "b")
    with pytest.raises(sums.DamageError, match="sub/b is damaged"):
        sums.check_folder(tmp_path)
    (tmp_path / "a.txt").unlink()
    assert len(list(sums.problems(tmp_path))) == 2


@pytest.mark.parametrize("text", ["x", "0" * 64 + "  a", "0" * 63 + "  a\n"])
def test_a_damaged_list_is_named(tmp_path, text):
    (tmp_path / sums.FILE).write_text(text)
    with pytest.raises(sums.DamageError, match="SHA256SUMS"):
        sums.read(tmp_path)


def test_verify(tmp_path, capsys):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
        sums.write(tmp_path / name, ["file"])
    assert verify.main([str(tmp_path)]) == 0
    assert "2 files in 2 lists: all as they were written" in capsys.readouterr().out
    flip(tmp_path / "b" / "file")
    assert verify.main([str(tmp_path)]) == 3
    said = capsys.readouterr().out
    assert f"{tmp_path / 'b' / 'file'} is damaged" in said
    assert "1 damaged" in said
    assert verify.main([str(tmp_path / "nowhere")]) == 1
    assert verify.main(["--renew", str(tmp_path)]) == 1


def filled(folder, broken=None):
    def stream(first):
        for row in range(first, 10):
            if row == broken:
                raise OSError("killed")
            yield {"x": np.full((1, 300), row, np.float32)}

    return shards.fill(folder, [f"i{k}" for k in range(10)], 4, stream)


def test_damage_to_stored_arrays_is_found_at_their_first_read(tmp_path):
    filled(tmp_path)
    for name in ("x-00001.npy", "rows.json"):
        for place in (0.1, 0.6, 0.99):
            whole = (tmp_path / name).read_bytes()
            flip(tmp_path / name, place)
            with pytest.raises((ShardError, sums.DamageError), match=name):
                shards.opened(tmp_path).all("x")
            (tmp_path / name).write_bytes(whole)
    np.testing.assert_array_equal(shards.opened(tmp_path).all("x")[:, 0], np.arange(10))
    (tmp_path / "rows.json").write_bytes((tmp_path / "rows.json").read_bytes()[:50])
    (tmp_path / sums.FILE).unlink()
    with pytest.raises(ShardError, match=r"rows\.json is damaged"):
        shards.opened(tmp_path)


def test_a_damaged_shard_is_written_again_when_filling_goes_on(tmp_path):
    with pytest.raises(OSError, match="killed"):
        filled(tmp_path, broken=9)
    flip(tmp_path / "x-00001.npy", 0.9)
    np.testing.assert_array_equal(filled(tmp_path).all("x")[:, 7], np.arange(10))
