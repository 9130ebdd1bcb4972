"""Shares on Dask's workers: one run as of one machine, whatever dies or is stopped on the way."""

import _thread
import os
import socket
import sys
import threading
import types
from pathlib import Path

import pytest
import test_merge
from test_explain import save
from test_merge import COUNT, here, rows  # noqa: F401  a fixture among them

from fiqa_jax import predict
from fiqa_jax.inference import dask_shares, predictor, run_shards
from fiqa_jax.inference.inputs import Found, Item
from fiqa_jax.predictions import schema
from input_pipeline import synthetic

distributed = pytest.importorskip("distributed")
Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def scheduler(here):  # noqa: F811
    """Address of a scheduler with two workers that are threads of this process."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster.scheduler_address


def arguments(output, *more):
    """Of a command; the inputs absolute, as workers get them and their rows name them."""
    return [os.path.abspath("photos"), *test_merge.arguments(output, *more)[1:]]


def test_shares_on_workers_make_the_run_of_one_machine(scheduler, capsys):
    assert predict.main(arguments("whole", "--parquet")) == 3
    sent = arguments("sent", "--scheduler", scheduler, "--shares", "3", "--parquet")
    assert predict.main(sent) == 3
    assert "12 photographs in 3 shares, 2 at a time" in capsys.readouterr().out
    assert rows("sent") == rows("whole")
    typed = [schema.read_rows(f"{folder}/predictions.parquet") for folder in ("sent", "whole")]
    assert typed[0] == typed[1]
    assert len(typed[0]) == COUNT + 2
    # Again: the number of shares is that of before, and nothing is left to be judged.
    log = Path("sent/shards/2-of-3/predictions.jsonl").read_bytes()
    assert predict.main(sent[:-3]) == 3
    assert Path("sent/shards/2-of-3/predictions.jsonl").read_bytes() == log
    assert rows("sent") == rows("whole")


def test_an_interrupted_run_goes_on(scheduler, monkeypatch, capsys):
    judged, heard, stop = [], threading.Event(), dask_shares._stop

    def reader(source, side, **how):
        judged.append(source)
        if len(judged) == 3:
            _thread.interrupt_main()
        if len(judged) >= 3:  # else all may be judged before the command hears of it
            heard.wait(60)
        return test_merge.reader(source, side, **how)

    def stopping(*given):
        heard.set()
        stop(*given)

    monkeypatch.setattr(dask_shares, "_stop", stopping)
    monkeypatch.setattr(dask_shares, "ASKED", 0.0)
    monkeypatch.setattr(predictor, "read_photo", reader)
    sent = arguments("sent", "--scheduler", scheduler, "--shares", "2")
    assert predict.main(sent) == 130
    assert not Path("sent/predictions.csv").exists()
    monkeypatch.setattr(predictor, "read_photo", test_merge.reader)
    assert predict.main(sent) == 3
    predict.main(arguments("whole"))
    assert rows("sent") == rows("whole")


def test_a_share_that_fails_ends_the_run_with_its_message(scheduler, monkeypatch, capsys):
    def full(path, rows):
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(schema, "append_jsonl", full)
        assert predict.main(arguments("sent", "--scheduler", scheduler, "--shares", "2")) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert predict.main(arguments("sent", "--scheduler", scheduler)) == 3


def test_a_worker_with_another_version_or_other_storage_is_named(scheduler, monkeypatch, capsys):
    with distributed.Client(scheduler) as client:
        with pytest.raises(predict.RunError, match=r"worker inproc.* does not see /nowhere/at/all"):
            dask_shares.check(client, Path("out"), ["/nowhere/at/all"])
        dask_shares.check(client, Path("out"), [os.getcwd()])
    monkeypatch.setattr(dask_shares, "fiqa_jax", types.SimpleNamespace(__version__="99"))
    assert predict.main(arguments("sent", "--scheduler", scheduler)) == 1
    assert "has fiqa_jax 0.1.0, this is 99: install the same" in capsys.readouterr().err


def test_a_worker_that_sees_other_photographs_judges_none():
    found = Found((Item("a.jpg", "a", ""), Item("b.jpg", "b", "")), (), ())
    (shard,) = run_shards.divided(found, 1, 1, Path("nowhere"))
    assert shard.of(found)[0].items == found.items
    with pytest.raises(predict.RunError, match="2 photographs, and not those"):
        shard.of(Found((Item("a.jpg", "a", ""), Item("c.jpg", "c", "")), (), ()))


@pytest.mark.parametrize(
    ("total", "at_once", "shares"),
    [(5, 8, 5), (90, 2, 2), (350, 2, 3), (5000, 2, 8), (10**4, 16, 64)],
)
def test_how_many_shares(tmp_path, total, at_once, shares):
    """Four for each at a time, of a hundred photographs at least where there are enough."""
    found = Found(tuple(Item(f"{i}.jpg", f"{i}", "") for i in range(total)), (), ())
    got = run_shards.divided(found, 0, at_once, tmp_path)
    assert [(one.place, one.count) for one in got] == [(i + 1, shares) for i in range(shares)]


def test_a_begun_run_keeps_its_shares(tmp_path):
    found = Found(tuple(Item(f"{i}.jpg", f"{i}", "") for i in range(1000)), (), ())
    (tmp_path / "shards" / "2-of-5").mkdir(parents=True)
    assert len(run_shards.divided(found, 0, 1, tmp_path)) == 5
    with pytest.raises(predict.RunError, match="a run in 5 shares: leave --shares out"):
        run_shards.divided(found, 4, 1, tmp_path)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--scheduler", "local", "--shard", "1/2"], "leave --shard out"),
        (["--shares", "2"], "add it"),
        (["--scheduler", "tcp://here:1", "--processes", "2"], "--processes N with --scheduler lo"),
        (["--scheduler", "local", "--shares", "-1"], "expected 1 or more"),
        (["--scheduler", "nonsense://here:1"], "no Dask scheduler answered"),
    ],
)
def test_what_cannot_be_meant(here, flags, said, capsys):  # noqa: F811
    assert predict.main(arguments("sent", *flags)) == 1
    assert said in capsys.readouterr().err
    assert not Path("sent").exists()


def test_nobody_answers(here, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setattr(dask_shares, "ANSWER", 0.5)
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        assert predict.main(arguments("sent", "--scheduler", address)) == 1
    assert f"--scheduler {address}: no Dask scheduler answered" in capsys.readouterr().err


def test_without_dask_the_extra_is_named(here, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert predict.main(arguments("sent", "--scheduler", "local")) == 1
    assert "pip install 'fiqa-jax[cluster]'" in capsys.readouterr().err


def test_a_run_of_one_machine_is_not_written_over(here, capsys):  # noqa: F811
    predict.main(arguments("whole"))
    assert predict.main(arguments("whole", "--scheduler", "local")) == 1
    assert "holds a run of one machine" in capsys.readouterr().err


@pytest.mark.slow
def test_a_worker_is_killed_and_every_photograph_is_there_once(tmp_path, monkeypatch, capfd):
    """Two processes of their own; one kills itself behind its first batch."""
    save(tmp_path / "model", "dying")
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(20):
        Image.fromarray(synthetic.draw(i, 96, "a").image).save(photos / f"{i:02d}.png")
    (photos / "broken.jpg").write_bytes(b"not a photograph")
    given = [str(photos), "--model", str(tmp_path / "model"), "--trust", "dying", "--batch", "4"]
    died = tmp_path / "died"
    died.touch()
    monkeypatch.setenv("FIQA_DYING", str(died))
    assert predict.main([*given, "--output", str(tmp_path / "whole")]) == 3
    died.unlink()
    out = tmp_path / "sent"
    flags = ["--scheduler", "local", "--processes", "2", "--shares", "3", "--parquet"]
    assert predict.main([*given, "--output", str(out), *flags]) == 3
    # The process died while it judged one of the shares, whose first batch was not judged again.
    log = Path(died.read_text())
    assert log.parent.parent == out / "shards"
    ids = [row["id"] for row in schema.read_rows(log)]
    assert sorted(ids) == sorted({*ids})
    assert rows(out) == rows(tmp_path / "whole")
    typed = schema.read_rows(out / "predictions.parquet")
    text = [{k: "" if v is None else str(v) for k, v in row.items()} for row in typed]
    assert text == schema.read_rows(tmp_path / "whole" / "predictions.csv")
    assert len({row["id"] for row in typed}) == len(typed) == 21
