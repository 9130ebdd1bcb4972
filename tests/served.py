"""A running server over a stand-in for the network, and how a test asks it."""

import http.client
import io
import json
import socket
import threading
import uuid

import numpy as np
import pytest
from PIL import Image

from fiqa_jax import serve
from fiqa_jax.inference import predictor
from fiqa_jax.inference.model_dir import Model
from input_pipeline.photo.reader import Photo

uvicorn = pytest.importorskip("uvicorn", reason="the extra app is not installed")
app = pytest.importorskip("fiqa_jax.serving.app")
SIDE = 16


def judged(batch):
    """Bad in the measure in which a photograph is dark; the map shows it on the right."""
    bad = (1 - batch["image"].mean((1, 2, 3)) / 255).astype(np.float32)
    cells = np.zeros((len(bad), 4, 4), np.float32)
    cells[..., 2:] = bad[:, None, None]
    return {"p_quality": np.stack([1 - bad, 0 * bad, bad], -1), "map": cells}


def reader(source, side, **how):
    """Every readable picture is a photograph whose field fills it."""
    try:
        image = Image.open(io.BytesIO(source)).convert("RGB").resize((side, side))
    except OSError:
        raise predictor.PhotoError("an unknown format: export it as JPEG") from None
    fov = np.ones((side, side), np.uint8)
    return Photo(np.asarray(image), fov, (0, 0, 900, 900), (900, 900), "circle", {})


@pytest.fixture
def server(monkeypatch):
    """The address of a server in a thread of this process, over a stand-in for the network."""
    monkeypatch.setattr(predictor, "read_photo", reader)
    data = {"side": SIDE, "modality": "fundus", "erase": [], "detail_names": []}
    data |= {"quality_names": ["good", "usable", "reject"], "diagnosis_names": []}
    config = {"name": "dark", "thresholds": {}, "temperature": {}, "data": data}
    config["licence"] = "for <tests> alone"
    made = predictor.Predictor(Model(config, {}, judged, judged))
    application = app.application(made, serve.allowed("127.0.0.1", []))
    listening = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(application, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    running.should_exit = True
    thread.join(30)
    listening.close()


def picture(grey, side=64):
    out = io.BytesIO()
    Image.new("RGB", (side, side), (grey,) * 3).save(out, "PNG")
    return out.getvalue()


def form(files, field="photo"):
    mark = uuid.uuid4().hex
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        "Content-Type: image/png\r\n\r\n".encode()
        + data
        + b"\r\n"
        for name, data in files
    ]
    body = b"".join(parts) + f"--{mark}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={mark}"}


def ask(port, path="/judge", body=None, headers=None, method=None):
    """Status, headers and body of the answer; JSON where it is any."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        link.request(method or ("POST" if body is not None else "GET"), path, body, headers or {})
        answer = link.getresponse()
        text = answer.read().decode()
    finally:
        link.close()
    found = json.loads(text) if answer.headers["content-type"] == "application/json" else text
    return answer.status, answer.headers, found
