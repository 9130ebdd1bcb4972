"""A seed draws the same eye under every supported Python and numpy; see golden/make_drawn.py."""

import json

import pytest
from golden import make_drawn


def test_drawings_have_not_changed():
    stored, found = json.loads(make_drawn.OUT.read_text()), make_drawn.drawn()
    assert len(found) == len(stored) == make_drawn.COUNT
    for kept, now in zip(stored, found, strict=True):
        assert now.keys() == kept.keys()
        for name in ("quality", "details", "diagnosis"):
            assert now[name] == kept[name]
        for name in ("image", "fov", "vessels"):
            assert now[name] == pytest.approx(kept[name], abs=0.05)
