"""The benchmark's defects are fixed: none was changed after a map was fitted to them."""

from input_pipeline.synthetic.defects import CONTROLS, KINDS, protocol

FROZEN = {1: "e8524a40e8e1d75a619033497778f8212c8231a3590fe006f30b3e2f3b756afb"}


def test_the_engine_and_its_trials_are_those_that_were_fixed():
    assert protocol.digest() == FROZEN[protocol.VERSION], (
        "the benchmark's engine has changed: raise protocol.VERSION, store its digest here, and "
        "measure every map again"
    )


def test_every_photograph_has_every_kind_once_and_severities_go_round():
    sets = [protocol.trials(f"p{k}", k) for k in range(12)]
    for trials in sets:
        assert [t.kind for t in trials if t.kind in KINDS] == list(KINDS)
        assert sum(t.kind in CONTROLS for t in trials) == protocol.CONTROLS_EACH
        assert trials[0].items == ()
    for place in range(len(KINDS)):
        severities = [trials[4 + place].items[0].severity for trials in sets[:3]]
        assert sorted(severities) == list(protocol.SEVERITIES)
    assert {t.kind for trials in sets for t in trials} == {"", *KINDS, *CONTROLS}
    seeds = [t.seed for trials in sets for t in trials]
    assert len(set(seeds)) == len(seeds)


def test_kinds_that_act_everywhere_act_on_a_part_here():
    for trial in protocol.trials("p", 0):
        if trial.kind in KINDS:
            assert trial.items[0].area == (1.0 if KINDS[trial.kind].local else protocol.AREA)
