"""The page and the endpoint: what is answered and refused, and a person's clicks in Chromium."""

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import served
from PIL import Image
from served import app, ask, form, picture, reader, uvicorn

from fiqa_jax import cli, serve
from fiqa_jax.inference import predictor

server = served.server  # the fixture
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
HOSTILE = "<img src=x onerror=window.hacked=1>.png"


def test_rows_of_several_photographs_in_their_order(server):
    files = [("b.png", picture(10)), ("a.png", picture(250)), ("no.jpg", b"text")]
    status, headers, found = ask(server, "/judge", *form(files))
    assert status == 200
    assert headers["cache-control"] == "no-store"
    rows = found["rows"]
    assert [row["id"] for row in rows] == ["b.png", "a.png", "no.jpg"]
    assert [row["status"] for row in rows] == ["ok", "ok", "error"]
    assert rows[0]["score"] == pytest.approx(1 - 10 / 255, abs=1e-6)
    assert rows[2]["error"].endswith("export it as JPEG")
    assert not {"picture", "map", "path"} & {*rows[0]}
    _, _, found = ask(server, "/judge?pictures=1", *form(files))
    assert found["rows"][0]["map"].startswith("data:image/png;base64,")
    assert "picture" not in found["rows"][2]


def test_other_hosts_and_other_sites_are_refused(server):
    body, headers = form([("a.png", picture(9))])
    for host in ("evil.example", f"evil.example:{server}", f"127.0.0.1.evil.example:{server}"):
        assert ask(server, "/", None, {"Host": host})[0] == 400
        assert ask(server, "/judge", body, {**headers, "Host": host})[0] == 400
    own = f"http://127.0.0.1:{server}"
    for origin in ("http://evil.example", "null", f"http://localhost:{server}", own + "1"):
        status, _, found = ask(server, "/judge", body, {**headers, "Origin": origin})
        assert (status, found["error"]) == (403, "requests of other web pages are not answered")
    foreign = {**headers, "Sec-Fetch-Site": "cross-site"}
    assert ask(server, "/judge", body, foreign)[0] == 403
    assert ask(server, "/judge", body, {**headers, "Origin": own})[0] == 200


def test_what_is_too_much_or_no_form_is_refused_with_a_sentence(server, monkeypatch):
    assert ask(server, "/judge", b"{}", {"Content-Type": "application/json"})[0] == 415
    status, _, found = ask(server, "/judge", *form([("a.png", b"1")], "file"))
    assert (status, found["error"]) == (
        400,
        "the field 'file' is not known; send files as photo",
    )
    assert ask(server, "/judge", *form([]))[0] == 400
    many = [("a.png", b"1")] * (app.MOST_FILES + 1)
    assert "up to 50 files" in ask(server, "/judge", *form(many))[2]["error"]
    monkeypatch.setattr(app, "MOST_BYTES", 2**20)
    body, headers = form([("a.png", b"0" * 2**21)])
    status, _, found = ask(server, "/judge", body, headers)
    assert (status, found["error"]) == (413, "more than 1 MB at a time; send fewer photographs")
    # Without a length in front, the same once it has come.
    status, _, found = ask(server, "/judge", iter([body]), headers)
    assert status == 413
    monkeypatch.setattr(app, "MOST_WAITING", -1)
    status, headers, found = ask(server, "/judge", *form([("a.png", picture(9))]))
    assert (status, headers["retry-after"]) == (503, "60")


def test_nothing_is_written(server, monkeypatch):
    opened = []
    real = os.open

    def watched(path, flags, *rest, **more):
        if flags & (os.O_WRONLY | os.O_RDWR):
            opened.append(path)
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", watched)  # temporary files are made through it
    noise = np.random.default_rng(0).integers(0, 256, (1100, 1100, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "PNG")
    assert len(out.getvalue()) > 2**21  # past the size from which the library spools to disk
    assert ask(server, "/judge", *form([("a.png", out.getvalue())]))[0] == 200
    assert opened == []


def test_one_at_a_time_and_the_others_wait(server, monkeypatch):
    inside, most, lock = 0, 0, threading.Lock()

    def slow(source, side, **how):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.02)  # room for a second one to come in, if it could
        with lock:
            inside -= 1
        return reader(source, side, **how)

    monkeypatch.setattr(predictor, "read_photo", slow)
    found = []
    sent = [form([("a.png", picture(9))]) for _ in range(4)]
    threads = [
        threading.Thread(target=lambda one=one: found.append(ask(server, "/judge", *one)[0]))
        for one in sent
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, most) == ([200] * 4, 1)


def test_the_page_lets_nothing_but_itself_run(server):
    status, headers, page = ask(server, "/")
    assert status == 200
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "for &lt;tests> alone" in page
    assert "http" not in page


def test_strangers_need_a_name():
    assert serve.allowed("localhost", []) == list(serve.LOCAL)
    with pytest.raises(serve.ServeError, match=r"--name eye\.clinic\.local"):
        serve.allowed("0.0.0.0", [])
    with pytest.raises(serve.ServeError, match="whole names"):
        serve.allowed("0.0.0.0", ["*"])
    assert "clinic" in serve.allowed("0.0.0.0", ["clinic"])


@pytest.mark.slow
@pytest.mark.whole
def test_a_person_drops_photographs_and_looks(server, tmp_path):
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if not BROWSER:
        pytest.skip("no Chromium here: apt-get install chromium")
    for name, grey in (("good.png", 250), (HOSTILE, 10)):
        (tmp_path / name).write_bytes(picture(grey))
    (tmp_path / "text.jpg").write_bytes(b"no photograph")
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1000, "height": 900})
        wrong = []
        tab.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        tab.on("pageerror", lambda e: wrong.append(str(e)))
        tab.goto(f"http://127.0.0.1:{server}/")
        tab.set_input_files("#files", [tmp_path / "good.png", tmp_path / "text.jpg"])
        api.expect(tab.locator("#said")).to_have_text("2 photographs judged.", timeout=60_000)
        assert tab.locator("article h2").all_text_contents() == ["text.jpg", "good.png"]
        verdicts = tab.locator(".verdict").all_text_contents()
        assert verdicts == ["Cannot be read", "Good enough to read"]
        # Dropped, not chosen.
        handle = tab.evaluate_handle(
            """([bytes, name]) => { const t = new DataTransfer();
            t.items.add(new File([new Uint8Array(bytes)], name, {type: 'image/png'}));
            return t; }""",
            [list(picture(10)), HOSTILE],
        )
        tab.dispatch_event("#drop", "drop", {"dataTransfer": handle})
        api.expect(tab.locator("#said")).to_have_text("3 photographs judged.", timeout=60_000)
        first = tab.locator("article").first
        assert first.locator("h2").text_content() == HOSTILE
        assert first.locator(".verdict").text_content() == "Take it again"
        assert first.locator("li").count() >= 1
        assert tab.evaluate("window.hacked") is None
        veil = first.locator(".veil")
        assert veil.evaluate("i => i.naturalWidth") > 0
        assert veil.evaluate("i => i.style.opacity") == "1"
        first.locator("input").fill("0")
        assert veil.evaluate("i => i.style.opacity") == "0"
        browser.close()
    assert wrong == []


PAGE = Path(__file__).resolve().parents[2] / "docs" / "serve.md"


def test_the_page_shows_what_the_command_prints(monkeypatch, capsys):
    class Loaded:
        name = "efiqa@00000000"
        licence = ""

        def __init__(self, *given, **known):
            pass

        def __call__(self, source):
            pass

    monkeypatch.setattr(predictor, "Predictor", Loaded)
    monkeypatch.setattr(uvicorn.Server, "run", lambda self: None)
    text = PAGE.read_text()
    (line,) = re.findall(r"^    fiqa (serve.*)$", text, re.MULTILINE)
    assert cli.main(shlex.split(line)) == 0
    shown = text[text.index("    the model is compiled") :].split("\n\n")[0]
    shown = re.sub(r"^    ", "", shown, flags=re.MULTILINE)
    name = re.compile(r"\w+@[0-9a-f]{8}")
    assert name.sub("MODEL", shown) == name.sub("MODEL", capsys.readouterr().out.rstrip())


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not here")
def test_the_curl_of_the_page_gets_what_it_shows(server, tmp_path):
    text = PAGE.read_text()
    (line,) = re.findall(r"^    (curl .*) \| python -m json.tool$", text, re.MULTILINE)
    (tmp_path / "101_right.jpg").write_bytes(picture(10))
    line = line.replace(":8000/", f":{server}/")
    done = subprocess.run(shlex.split(line), cwd=tmp_path, capture_output=True, check=True)
    (shown,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    found, expected = json.loads(done.stdout), json.loads(shown)
    assert found.keys() == expected.keys()
    # The page shows the shipped model, which also names defects; the one of these tests does not.
    details = {f"p_{name}" for name in ("illumination", "clarity", "contrast", "artefact")}
    assert found["rows"][0].keys() | details == expected["rows"][0].keys()
    assert found["rows"][0]["id"] == expected["rows"][0]["id"] == "101_right.jpg"
