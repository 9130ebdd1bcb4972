"""Flags for XLA: set for measured versions, never over the user's own, harmless elsewhere."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fiqa_jax.training import xla_flags

FLAG = f"{xla_flags.YNNPACK}={xla_flags.WITHOUT_CONVOLUTIONS}"


@pytest.fixture
def flags(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0")

    def version(value):
        monkeypatch.setattr(xla_flags.metadata, "version", lambda package: value)

    return version


def test_quickly_compiled_programs_give_the_same_numbers(flags):
    flags("0.10.2")
    options = xla_flags.quick()
    assert options
    x = jnp.linspace(-1, 1, 50).reshape(10, 5)

    def program(x):
        return jnp.sin(x @ x.T).sum(0)

    got = jax.jit(program, compiler_options=options)(x)
    np.testing.assert_allclose(got, np.sin(np.asarray(x) @ np.asarray(x).T).sum(0), atol=1e-5)
    flags("0.0.0")
    assert xla_flags.quick() is None


def test_a_measured_version_gets_the_flag_once(flags):
    flags("0.10.2")
    assert xla_flags.prefer_own_convolutions()
    assert not xla_flags.prefer_own_convolutions()
    assert os.environ["XLA_FLAGS"].split() == ["--xla_backend_optimization_level=0", FLAG]


@pytest.mark.parametrize("version", ["0.10.1", "0.11.2", "99.0", "dev"])
def test_other_versions_are_left_alone(flags, version):
    flags(version)
    assert not xla_flags.prefer_own_convolutions()
    assert os.environ["XLA_FLAGS"] == "--xla_backend_optimization_level=0"


@pytest.mark.parametrize("own", ["", "-reduce", "individual_dot"])
def test_a_users_own_value_stays(flags, monkeypatch, own):
    flags("0.10.2")
    monkeypatch.setenv("XLA_FLAGS", f"{xla_flags.YNNPACK}={own}")
    assert not xla_flags.prefer_own_convolutions()
    assert os.environ["XLA_FLAGS"] == f"{xla_flags.YNNPACK}={own}"


def test_without_jaxlib_nothing_happens(monkeypatch):
    def absent(package):
        raise xla_flags.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(xla_flags.metadata, "version", absent)
    assert not xla_flags.prefer_own_convolutions()


def test_the_installed_jaxlib_starts_with_what_is_set():
    """Whatever version is installed: a process that asks for the flag computes a convolution."""
    code = (
        "from fiqa_jax.training import xla_flags; xla_flags.prefer_own_convolutions()\n"
        "import jax, jax.numpy as jnp\n"
        "x, k = jnp.ones((1, 8, 8, 32)), jnp.ones((3, 3, 32, 32))\n"
        "dims = ('NHWC', 'HWIO', 'NHWC')\n"
        "f = lambda k: jax.lax.conv_general_dilated(\n"
        "    x, k, (1, 1), 'VALID', dimension_numbers=dims).sum()\n"
        "print(float(jax.grad(f)(k)[0, 0, 0, 0]))"
    )
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == 36.0  # 6 x 6 windows see each weight once
