"""Config: stages follow the top level until they are set, and nothing unknown is accepted."""

import pytest

from fiqa_jax import defaults


def two_stages():
    c = defaults.base()
    defaults.add_stage(c, "first", "train", optim={"lr": 0.5})
    defaults.add_stage(c, "second", "train", model={"init": "first"})
    return c.lock()


def test_stage_follows_top_level():
    c = two_stages()
    c.optim.lr = 0.25
    c.train.batch = 6
    assert c.stage.second.optim.lr == 0.25
    assert c.stage.first.optim.lr == 0.5, "a stage's own value stays"
    assert c.stage.first.train.batch == c.stage.second.train.batch == 6


def test_stage_override_stays_in_its_stage():
    c = two_stages()
    c.stage.second.optim.lr = 7.0
    assert c.optim.lr == 1e-4
    assert c.stage.first.optim.lr == 0.5


def test_stages_keep_their_order():
    assert two_stages().stages == ("first", "second")


def test_resolved_is_plain():
    plain = defaults.resolved(two_stages())
    assert plain["stage"]["second"]["model"]["init"] == "first"
    assert type(plain["stage"]["second"]["optim"]) is dict


@pytest.mark.parametrize(
    ("kind", "settings", "says"),
    [
        ("trian", {}, "none of"),
        ("train", {"method_name": "x"}, "no field 'method_name'"),
        ("train", {"optim": {"lrr": 1.0}}, "no field 'lrr'"),
        ("apply", {"labels": "x"}, "no field 'labels'"),
    ],
)
def test_unknown_settings_are_refused(kind, settings, says):
    with pytest.raises(ValueError, match=says):
        defaults.add_stage(defaults.base(), "s", kind, **settings)


def test_parse_arg():
    args = defaults.parse_arg("tiny, seed=3,name=x", tiny=False, seed=0, name="", other=1.5)
    assert (args.tiny, args.seed, args.name, args.other) == (True, 3, "x", 1.5)
    with pytest.raises(ValueError, match="'tny' is not known; known: \\['tiny'\\]"):
        defaults.parse_arg("tny", tiny=False)
