"""The report of a judged folder: its data, its safety, and a person's clicks in Chromium."""

import base64
import csv
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from fiqa_jax.maps import drawing
from fiqa_jax.predictions import rows as judge
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.triage import Thresholds
from fiqa_jax.report import __main__ as report_command
from fiqa_jax.report.judged import entries, judged_page, thumbnails
from input_pipeline.photo.reader import Photo

pytestmark = pytest.mark.whole

SIDE = 64
HOSTILE = "</script><img src=x onerror=window.hacked=1>_left.png"
SHOWN = HOSTILE.split("/")[-1]  # a folder and a file within
NAMES = ["7_left.png", "7_right.png", "8_left.png", "8_right.png", HOSTILE, "no eye.png"]
SCORES = [0.1, 0.9, 0.2, 0.3, 0.8, 0.55]
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


def photograph(grey):
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    fov = (np.hypot(x, y) < SIDE / 2).astype(np.uint8)
    image = np.full((SIDE, SIDE, 3), (grey, grey // 2, 20), np.uint8) * fov[..., None]
    return Photo(image, fov, (0, 0, SIDE, SIDE), (SIDE, SIDE), "circle", {})


def judged(out, names=NAMES, scores=SCORES, pictures=True):
    """A judged folder as predict leaves it, with one file that could not be read."""
    out.mkdir(parents=True, exist_ok=True)
    score = np.array(scores)
    rows = judge.rows_from_outputs(
        {"score": score, "map": np.broadcast_to(score[:, None, None], (len(score), 4, 4))},
        path=names,
        id=names,
        thresholds=Thresholds(accept=0.5, recapture=0.7),
        model="m@1",
    )
    rows.append(judge.failed_row("gone.jpg", "gone.jpg", "error", "gone.jpg: no photograph", "m@1"))
    schema.write_csv(out / "predictions.csv", rows, schema.columns())
    (out / "run.json").write_text(json.dumps({"inputs": ["/data/<b>visit"], "began_in": "/data"}))
    if pictures:
        for name, one in zip(names, scores, strict=True):
            thumbnails.save(out, name, photograph(200), np.full((4, 4), one))
    return rows


def shown_data(page):
    text = page.read_text(encoding="utf-8")
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    data = json.loads(found)
    return [dict(zip(data["names"], row, strict=True)) for row in data["rows"]], data


def test_entries_say_whose_eye_and_what_was_decided(tmp_path):
    judged(tmp_path)
    rows, data = shown_data(judged_page.write(tmp_path))
    assert [row["eye"] for row in rows] == ["left", "right", "left", "right", "left", "", ""]
    assert [row["patient"] for row in rows[:4]] == ["7", "7", "8", "8"]
    decisions = ["accept", "recapture", "accept", "accept", "recapture", "review", "review"]
    assert [row["decision"] for row in rows] == decisions
    assert rows[0]["score"] == 0.1
    assert data["texts"][rows[-1]["error"]] == "gone.jpg: no photograph"
    assert rows[0]["file"].endswith("/data/7_left.png")
    assert set(data["pictures"]) == {
        f"{thumbnails.stem(name)}{suffix}" for name in NAMES for suffix in (".jpg", ".png")
    }


def test_many_photographs_keep_their_pictures_beside_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(entries, "EMBEDDED", 3)
    judged(tmp_path)
    _, data = shown_data(judged_page.write(tmp_path))
    assert data["pictures"] == {}
    assert data["run"]["folder"] == "report_files"


def test_names_are_data_and_nothing_else_may_run(tmp_path):
    judged(tmp_path)
    text = judged_page.write(tmp_path).read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert "<h1>&lt;b&gt;visit</h1>" in text
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', text)
    assert policy.startswith("default-src &#x27;none&#x27;")
    assert "unsafe" not in policy
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    (code,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    import hashlib

    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert f"script-src &#x27;sha256-{digest}&#x27;" in policy


def test_the_veil_is_as_opaque_as_the_place_is_bad():
    photo = photograph(100)
    half = np.zeros((4, 4))
    half[:, 2:] = 1
    alpha = np.asarray(thumbnails.veil(half, photo.fov))[..., 3] / 255
    middle = thumbnails.MAP_SIDE // 2
    assert alpha[middle, 10] == 0
    assert alpha[middle, -10] == pytest.approx(drawing.STRENGTH, abs=0.01)
    assert alpha[0, 0] == alpha[0, -1] == 0  # outside the field


def test_report_makes_thumbnails_that_are_lost(tmp_path, capsys):
    out = tmp_path / "out"
    judged(out, pictures=False)
    (out / "run.json").write_text(json.dumps({"inputs": [], "began_in": str(tmp_path)}))
    y, x = np.mgrid[:200, :260] - np.array([100, 130])[:, None, None]
    disc = (np.hypot(x, y) < 90)[..., None] * np.array([180, 90, 40])
    Image.fromarray(disc.astype(np.uint8)).save(tmp_path / "7_left.png")
    assert report_command.main([str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out / "report.html")
    rows, _ = shown_data(out / "report.html")
    assert [bool(row["picture"]) for row in rows] == [True, *[False] * 6]


def test_a_damaged_run_file_is_named(tmp_path, capsys):
    judged(tmp_path)
    (tmp_path / "run.json").write_text("{")
    assert report_command.main([str(tmp_path)]) != 0
    assert "run.json is damaged" in capsys.readouterr().err


@pytest.fixture
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if not BROWSER:
        pytest.skip("no Chromium here: apt-get install chromium")
    with api.sync_playwright() as play:
        found = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield found
        found.close()


def opened(browser, page):
    tab = browser.new_page(viewport={"width": 1200, "height": 900}, accept_downloads=True)
    wrong = []
    tab.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    tab.on("pageerror", lambda e: wrong.append(str(e)))
    tab.goto(page.as_uri())
    return tab, wrong


@pytest.mark.slow
def test_a_person_sorts_filters_looks_and_decides(tmp_path, browser):
    from playwright.sync_api import expect

    judged(tmp_path)
    tab, wrong = opened(browser, judged_page.write(tmp_path))
    names = tab.locator(".card .title")
    assert names.all_text_contents() == [*NAMES[:4], SHOWN, *NAMES[5:], "gone.jpg"]
    assert tab.evaluate("window.hacked") is None
    assert tab.locator(".card").first.locator("img.photo").evaluate("i => i.naturalWidth") == SIDE
    # The map comes over the photograph under the pointer.
    veil = tab.locator(".card").first.locator("img.veil")
    assert veil.evaluate("i => getComputedStyle(i).opacity") == "0"
    tab.locator(".card").first.hover()
    expect(veil).to_have_css("opacity", "1")
    # Sorted and filtered.
    tab.select_option("#sort", "worst")
    assert names.all_text_contents()[:3] == ["7_right.png", SHOWN, "no eye.png"]
    tab.select_option("#decision", "recapture")
    assert names.all_text_contents() == ["7_right.png", SHOWN]
    tab.fill("#find", "7")
    assert names.all_text_contents() == ["7_right.png"]
    tab.click("#reset")
    tab.fill("#low", "0.5")
    tab.fill("#high", "0.6")
    assert names.all_text_contents() == ["no eye.png"]
    tab.click("#reset")
    tab.select_option("#sort", "input")
    # Looked at by keys, decided on.
    tab.locator(".card").first.click()
    tab.keyboard.press("g")
    tab.keyboard.press("ArrowRight")
    assert tab.locator("#name").text_content() == "7_right.png"
    assert "score 0.90" in tab.locator("#verdict").text_content()
    tab.keyboard.press("r")
    tab.keyboard.press("m")
    assert tab.locator("#large .veil").evaluate("i => i.style.opacity") == "0"
    tab.keyboard.press("ArrowLeft")
    assert tab.locator("#name").text_content() == "7_left.png"
    assert tab.locator("#marks [aria-pressed=true]").text_content() == "good enough"
    for _ in range(4):
        tab.keyboard.press("ArrowRight")
    assert tab.locator("#name").text_content() == SHOWN
    tab.keyboard.press("u")
    tab.keyboard.press("Escape")
    with tab.expect_download() as got:
        tab.click("#save")
    with open(got.value.path(), newline="", encoding="utf-8") as file:
        saved = list(csv.DictReader(file))
    assert [(row["id"], row["decision"], row["gradable"]) for row in saved] == [
        ("7_left.png", "good", "1"),
        ("7_right.png", "retake", "0"),
        (HOSTILE, "unsure", ""),
    ]
    # Decisions outlive the tab, and come back from the file.
    tab.reload()
    assert tab.locator("#save").text_content() == "Save my decisions (3)"
    tab.evaluate("localStorage.clear()")
    tab.reload()
    assert tab.locator("#save").is_disabled()
    tab.set_input_files("#file", got.value.path())
    expect(tab.locator("#save")).to_have_text("Save my decisions (3)")
    assert wrong == []


@pytest.mark.slow
def test_patients_and_the_printed_sheet(tmp_path, browser):
    judged(tmp_path)
    tab, wrong = opened(browser, judged_page.write(tmp_path))
    tab.select_option("#view", "eyes")
    first = tab.locator(".person").first
    assert first.locator("h2").text_content() == "7"
    assert first.locator("h3").all_text_contents() == [
        "Right eye: retake",
        "Left eye: 1 of 1 good enough, best: 7_left.png",
    ]
    tab.evaluate("window.print = () => { document.body.dataset.printed = 'yes'; }")
    tab.click("#print")
    tab.wait_for_selector("body[data-printed]", state="attached")
    tab.emulate_media(media="print")
    assert tab.locator("#controls").is_hidden()
    files = tab.locator("#sheet tbody td:nth-child(4)").all_text_contents()
    assert files == ["7_right.png", SHOWN] or files == [SHOWN, "7_right.png"]
    assert "2 photographs to take again" in tab.locator("#sheet h1").text_content()
    assert wrong == []


@pytest.mark.slow
def test_ten_thousand_rows_come_in_pages(tmp_path, browser):
    names = [f"{i // 2:05d}_{'left' if i % 2 else 'right'}.png" for i in range(10_000)]
    judged(tmp_path, names, np.linspace(0, 1, 10_000).tolist(), pictures=False)
    page = judged_page.write(tmp_path)
    tab, wrong = opened(browser, page)
    assert tab.locator(".card").count() == 60
    assert tab.locator("#page").text_content() == "page 1 of 167"
    tab.click("#on")
    assert tab.locator(".card .title").first.text_content() == "00030_right.png"
    tab.fill("#find", "04999")
    assert tab.locator(".card .title").all_text_contents() == ["04999_right.png", "04999_left.png"]
    assert wrong == []
