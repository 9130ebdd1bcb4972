"""Compiled programs kept between runs, and folders in which they cannot be."""

import zlib

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache import compilation_cache

from fiqa_jax.inference import compiled

SETTINGS = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")


@pytest.fixture(autouse=True)
def as_it_was():
    """No folder at first, whatever recipes in this process have set, and theirs again after."""
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    jax.config.update("jax_compilation_cache_dir", None)
    compilation_cache.reset_cache()
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def again():
    """As in another process: JAX knows neither folder nor program."""
    jax.config.update("jax_compilation_cache_dir", None)
    compilation_cache.reset_cache()
    jax.clear_caches()


def run():
    return float(jax.jit(lambda x: jnp.sin(x) * 3 + 1)(jnp.float32(2)))


def test_a_program_is_kept_and_one_that_was_cut_off_is_made_again(tmp_path):
    place = tmp_path / "made" / "here"
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    compilation_cache.reset_cache()
    assert compiled.keep(place) == place
    first = run()
    kept = {file: file.read_bytes() for file in place.glob("*-cache")}
    assert kept
    for file, data in kept.items():
        file.write_bytes(data[: len(data) // 2])
    again()
    assert compiled.keep(place) == place
    assert not list(place.glob("*-cache"))
    assert run() == first
    assert {*kept} <= {*place.glob("*-cache")}
    for file in kept:
        zlib.decompress(file.read_bytes())
        file.write_bytes(file.read_bytes()[:-9] + b"\0" * 9)
    again()
    compiled.keep(place)
    assert run() == first


def test_whole_programs_stay(tmp_path):
    whole, cut = tmp_path / "a-cache", tmp_path / "b-cache"
    other, format = tmp_path / "c", tmp_path / "d-cache"
    whole.write_bytes(zlib.compress(b"program" * 100))
    cut.write_bytes(whole.read_bytes()[:20])
    other.write_bytes(b"no program")
    format.write_bytes(compiled.ZSTANDARD + b"more")
    compiled.keep(tmp_path)
    assert sorted(tmp_path.iterdir()) == [whole, other, format]


def test_where_it_cannot_be(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert compiled.keep(file) is None
    assert compiled.keep(file / "below") is None
    assert compiled.keep("a\0b") is None
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    assert compiled.keep(shared) is None  # whose programs are these?
    monkeypatch.setenv(compiled.VARIABLE, compiled.OFF)
    assert compiled.keep() is None
    assert jax.config.jax_compilation_cache_dir is None


def test_where_it_is(tmp_path, monkeypatch):
    monkeypatch.delenv(compiled.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert compiled.keep() == tmp_path / "fiqa_jax" / "compiled"
    again()
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert compiled.keep() == tmp_path / "home" / ".cache" / "fiqa_jax" / "compiled"
    again()
    monkeypatch.setenv(compiled.VARIABLE, str(tmp_path / "own"))
    assert compiled.keep() == tmp_path / "own"
    assert compiled.keep(tmp_path / "later") is None  # the first one stands


def test_a_folder_that_jax_was_told_goes_first(tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "told"))
    assert compiled.keep(tmp_path / "ours") is None
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "told")
