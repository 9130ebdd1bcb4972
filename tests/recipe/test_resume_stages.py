"""Every method stopped in the middle of its stage and started again: bit for bit the whole run.

The whole run had no TensorFlow and was another process (whole_run.py). A killed process is
test_resume.py's; here it is what each stage reads that has to come in the same order.
"""

import jax
import pytest
import whole_run
from jax.experimental.compilation_cache import compilation_cache

from fiqa_jax.recipe import runner
from fiqa_jax.training import loop

AT = 2  # of three steps
pytestmark = pytest.mark.whole


class Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def whole(shared_run):
    """The work directory of the whole run; its compiled programs are used again."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    for name, value in zip(names, (str(shared_run / "compiled"), 0.0), strict=True):
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield shared_run / "work"
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.mark.parametrize("method", whole_run.STAGES)
def test_stopped_stage_equals_the_whole_run(method, whole, tmp_path, monkeypatch):
    stage, config, run = whole_run.STAGES[method], whole_run.config(), loop.run
    assert config.stage[stage].uses == method
    for folder in whole.iterdir():
        if folder.is_dir() and folder.name != stage:
            (tmp_path / folder.name).symlink_to(folder)
    started = []

    def watched(made, feed, *rest, **more):
        def watch(start):
            started.append(start)
            for step, batch in enumerate(feed(start), start):
                if step == AT and len(started) == 1:
                    raise Stopped
                yield batch

        return run(made, watch, *rest, **more)

    monkeypatch.setattr(loop, "run", watched)
    with pytest.raises(Stopped):
        runner.run(config, tmp_path, only=stage)
    assert not (tmp_path / stage / "stage.json").exists()
    runner.run(config, tmp_path, only=stage)
    assert started[0] == 0
    assert 0 < started[1] <= AT
    files = {"metrics.jsonl", "model/model.safetensors"}
    files |= {path.name for path in (whole / stage).glob("*.csv")}
    for name in files:
        again, once = (root / stage / name for root in (tmp_path, whole))
        assert again.read_bytes() == once.read_bytes(), name


def test_the_whole_run_had_no_tensorflow(whole):
    stages = whole_run.STAGES.values()
    assert all((whole / stage / "model" / "model.safetensors").is_file() for stage in stages)
    assert not [stage for stage in stages if (whole / stage / "tensorboard").exists()]
