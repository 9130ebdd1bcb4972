"""Every `:paper`, resolved, against the list of what was published; and the table in docs."""

import importlib
import inspect

import paper_table
import published
import pytest

from fiqa_jax import defaults
from fiqa_jax.training import losses


def same(value, wanted):
    if isinstance(wanted, float):
        return value == pytest.approx(wanted, rel=1e-12)
    return value == wanted


@pytest.mark.parametrize("method", published.METHODS, ids=lambda m: f"{m.config}:{m.argument}")
def test_every_value_is_the_published_one(method):
    """Value by value; where it is another, the list says which and why."""
    config = paper_table.load(method.config, method.argument)
    config = config.copy_and_resolve_references()
    wrong = []
    for row in (*method.rows, *method.shared):
        assert (row.value is ...) or row.reason, f"{row.setting} differs without a reason"
        wanted = row.paper if row.value is ... else row.value
        if row.setting in paper_table.COUNTED and row.value is ...:
            assert isinstance(wanted, int)
        found = paper_table.value_of(config, row.setting)
        if not same(found, wanted):
            wrong.append(f"{row.setting} is {found!r}, published ({row.source}): {wanted!r}")
    assert not wrong, "\n".join(wrong)
    names = [row.setting for row in (*method.rows, *method.shared)]
    assert len(names) == len(set(names))


def test_the_settings_of_a_method_are_all_in_its_list():
    """A setting that a method gains has to be held against its paper, too."""
    free = {"remat", "adjust", "labels", "tau", "freeze_trunk", "gamma", "heads", "stem", "row"}
    at = {
        "inpaint": ("EFIQA", "stage.inpaint.method"),
        "adapter": ("EFIQA", "stage.adapter.method"),
        "cell_grades": ("EFIQA, grades of EyeQ", "stage.grades.method"),
        "mkcnet": ("MKCNet, iqad/DEEPDR", "stage.second_order.method"),
    }
    for name, (title, section) in at.items():
        (method,) = (m for m in published.METHODS if m.title == title)
        listed = {row.setting for row in method.rows}
        listed |= {"stage.second_order.method.eps", "stage.inpaint.method.flagged"}  # of others
        own = {f"{section}.{field}" for field in defaults.METHODS[name] if field not in free}
        assert own <= listed, own - listed
    (method,) = (m for m in published.METHODS if m.title == "EFIQA-CP")
    listed = {row.setting.partition("method.")[2] for row in method.rows}
    assert {*defaults.METHODS["nnpu"]} - free <= listed


def test_a_difference_from_the_default_has_a_reason():
    for method in published.METHODS:
        paper = paper_table.load(method.config, method.argument)
        default = paper_table.load(method.config, method.default)
        for row in method.rows:
            both = [paper_table.value_of(c, row.setting) for c in (paper, default)]
            if both[0] != both[1] and both[1] is not ...:
                assert row.reason, f"{method.title}: {row.setting} {both[1]!r} -> {both[0]!r}"


def test_the_focal_loss_is_of_gamma_two():
    """MKCNet, C; a default of the loss, which no recipe changes."""
    assert inspect.signature(losses.focal).parameters["gamma"].default == 2.0


@pytest.mark.parametrize(("module", "name", "value", "source"), published.CONSTANTS)
def test_numbers_in_the_code_are_the_published_ones(module, name, value, source):
    assert same(getattr(importlib.import_module(module), name), value), source


def test_the_table_in_docs_is_what_the_command_writes():
    said = "docs/paper_settings.md is not what `python tests/configs/paper_table.py` writes: run it"
    assert paper_table.FILE.read_text(encoding="utf-8") == paper_table.text(), said
