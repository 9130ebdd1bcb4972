"""The console command: what it lists, how it dispatches, what it must not load."""

import subprocess
import sys
import types

import pytest

from fiqa_jax import cli

HEAVY = ("jax", "flax", "sklearn", "pandas", "matplotlib", "tensorflow")


def fresh(*arguments):
    """What the command prints, and which heavy packages it loaded, in a process of its own."""
    code = (
        "import sys\n"
        "from fiqa_jax import cli\n"
        f"try: status = cli.main({list(arguments)!r})\n"
        "except SystemExit as end: status = end.code or 0\n"
        f"print('loaded', sorted(set({HEAVY!r}) & set(sys.modules)), 'status', status)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text, _, end = done.stdout.rpartition("loaded ")
    return text, end


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(flag):
    text, end = fresh(flag)
    assert end == "[] status 0\n"
    assert "predict" in text if flag == "--help" else text.startswith("fiqa_jax 0.1.0, model ")


def test_help_of_every_command_is_light():
    """In one process: none of them may load what another brought in before."""
    code = (
        "import sys\n"
        "from fiqa_jax import cli\n"
        "for name in cli.COMMANDS:\n"
        "    try: status = cli.main([name, '--help'])\n"
        "    except SystemExit as end: status = end.code or 0\n"
        f"    print('loaded', name, sorted(set({HEAVY!r}) & set(sys.modules)), status)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("loaded ")]
    assert lines == [f"loaded {name} [] 0" for name in cli.COMMANDS]
    for name in cli.COMMANDS:
        assert f"usage: fiqa {name}" in done.stdout, name


def test_importing_the_package_loads_nothing_and_names_are_there():
    code = (
        "import sys, fiqa_jax\n"
        "assert not {'jax', 'numpy', 'PIL'} & set(sys.modules), 'loaded'\n"
        "assert {'judge', 'to_frame', 'Predictor'} <= set(dir(fiqa_jax))\n"
        "assert callable(fiqa_jax.judge)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_command_is_there_and_listed():
    import importlib

    shown = cli.usage()
    for name, (module, function, says) in cli.COMMANDS.items():
        if name != "train":  # its flags are global to the process
            assert callable(getattr(importlib.import_module(module), function)), name
        assert f"  {name} " in shown
        assert says in shown


def test_a_wrong_word_is_answered_by_the_nearest(capsys):
    assert cli.main(["predit"]) == cli.USAGE
    assert "no command 'predit'; did you mean 'predict'?" in capsys.readouterr().err
    assert cli.main([]) == cli.USAGE
    assert "usage: fiqa" in capsys.readouterr().err


def test_arguments_and_status_pass_through(monkeypatch):
    seen = []
    module = types.ModuleType("planted_command")
    module.main = lambda argv: seen.append(argv) or 3
    monkeypatch.setitem(sys.modules, "planted_command", module)
    monkeypatch.setitem(cli.COMMANDS, "planted", ("planted_command", "main", "does nothing"))
    assert cli.main(["planted", "a", "--b"]) == 3
    assert seen == [["a", "--b"]]
