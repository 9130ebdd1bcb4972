"""The web application of `fiqa serve`: a page, and POST /judge for programs.

Photographs are held in memory while they are judged and never written. One is judged at a time; who
asks while too many wait is told to come back. Requests under a foreign Host or from a foreign page
are refused, so that no web site can use the judge of whoever visits it.
"""

import base64
import hashlib
from collections.abc import AsyncGenerator, Sequence
from importlib import resources
from typing import Any

import anyio
from anyio import to_thread
from PIL import Image
from starlette.applications import Starlette
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from fiqa_jax.inference.predictor import Predictor
from fiqa_jax.maps import drawing
from fiqa_jax.report.judged import thumbnails
from input_pipeline import marked, plain_text
from input_pipeline.photo.reader import Photo

MOST_BYTES = 100 * 2**20  # of a request
MOST_FILES = 50
MOST_WAITING = 8  # requests beside the one that is judged
SIDE = 640  # pixels of the picture that the page shows
FIELD = "photo"
_NEVER = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Refused(Exception):
    """A request that is not answered: an HTTP status and what to say."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class _InMemory(MultiPartParser):
    """Files of a form never go to disk."""

    spool_max_size = MOST_BYTES


class Judge:
    """One predictor behind one queue.

    Args:
      predictor: with a batch of one.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self.waiting = 0
        self._turn = anyio.Lock()

    async def rows(
        self, photos: Sequence[tuple[str, bytes]], pictures: bool
    ) -> list[dict[str, Any]]:
        """A row of each (name, contents of the file), in their order.

        Raises:
          Refused: too many are waiting.
        """
        if self.waiting > MOST_WAITING:
            raise Refused(503, "too many photographs are waiting; try again in a minute")
        self.waiting += 1
        try:
            async with self._turn:
                return [
                    await to_thread.run_sync(self._row, name, data, pictures)
                    for name, data in photos
                ]
        finally:
            self.waiting -= 1

    def _row(self, name: str, data: bytes, pictures: bool) -> dict[str, Any]:
        photo = self.predictor.read(data, keep=pictures)
        (judged,) = self.predictor.judge([photo], [""], [name], [""])
        row: dict[str, Any] = {k: v for k, v in judged.row.items() if k not in ("path", "map")}
        if pictures and isinstance(photo, Photo):
            shown = self.predictor.larger(photo, SIDE)
            row["picture"] = _url("image/jpeg", thumbnails.picture(shown, SIDE))
            if judged.map is not None:
                lines = drawing.layer(judged.map, shown.fov, self.predictor.thresholds.map)
                row["map"] = _url("image/png", marked.png(Image.fromarray(lines)))
        return row


def application(predictor: Predictor, hosts: Sequence[str]) -> Starlette:
    """The application.

    Args:
      predictor: with a batch of one.
      hosts: names, without a port, under which it may be asked.
    """
    judge = Judge(predictor)
    page, policy = _page(predictor)

    async def index(request: Request) -> Response:
        headers = {**_NEVER, "Content-Security-Policy": policy, "X-Frame-Options": "DENY"}
        return HTMLResponse(page, headers=headers)

    async def judged(request: Request) -> Response:
        try:
            _same_origin(request)
            photos = await _photos(request)
            rows = await judge.rows(photos, request.query_params.get("pictures") == "1")
        except Refused as refused:
            again = {"Retry-After": "60"} if refused.status == 503 else {}
            error = {"error": str(refused)}
            return JSONResponse(error, refused.status, headers={**_NEVER, **again})
        return JSONResponse({"model": predictor.name, "rows": rows}, headers=_NEVER)

    async def health(request: Request) -> Response:
        return JSONResponse({"model": predictor.name, "waiting": judge.waiting}, headers=_NEVER)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/judge", judged, methods=["POST"]),
            Route("/health", health),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
        ],
    )


def _same_origin(request: Request) -> None:
    """Raises: Refused: a page of another site sent this; programs send no Origin."""
    origin = request.headers.get("origin")
    server = f"{request.url.scheme}://{request.headers.get('host', '')}"
    foreign = request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
    if foreign or (origin is not None and origin != server):
        raise Refused(403, "requests of other web pages are not answered")


async def _photos(request: Request) -> list[tuple[str, bytes]]:
    """Name and contents of the files in the form.

    Raises:
      Refused: no form, none or too many files in it, or too many bytes.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Refused(415, f"expected a form with files: curl -F {FIELD}=@eye.jpg")
    parser = _InMemory(request.headers, _limited(request), max_files=MOST_FILES, max_fields=0)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Refused(400, f"{error.message} (up to {MOST_FILES} files as {FIELD})") from None
    except ClientDisconnect:
        raise Refused(400, "cut off") from None
    try:
        found = []
        for field, value in form.multi_items():
            if field != FIELD or isinstance(value, str):
                raise Refused(400, f"the field {field!r} is not known; send files as {FIELD}")
            name = plain_text.printable(value.filename or "photograph", keep=())
            found.append((name, await value.read()))
    finally:
        await form.close()
    if not found:
        raise Refused(400, f"no file in the form: curl -F {FIELD}=@eye.jpg")
    return found


async def _limited(request: Request) -> AsyncGenerator[bytes, None]:
    said = request.headers.get("content-length", "0")
    seen = int(said) if said.isdecimal() else 0
    text = f"more than {MOST_BYTES // 2**20} MB at a time; send fewer photographs"
    if seen > MOST_BYTES:
        raise Refused(413, text)
    seen = 0
    async for part in request.stream():
        seen += len(part)
        if seen > MOST_BYTES:
            raise Refused(413, text)
        yield part


def _url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _page(predictor: Predictor) -> tuple[str, str]:
    """The page, and the policy that lets nothing run or load but what is in it."""
    folder = resources.files("fiqa_jax.serving")
    script, style, page = (
        (folder / name).read_text("utf-8") for name in ("page.js", "page.css", "page.html")
    )
    digests = {
        kind: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for kind, text in (("script", script), ("style", style))
    }
    policy = (
        f"default-src 'none'; script-src 'sha256-{digests['script']}'; "
        f"style-src 'sha256-{digests['style']}'; img-src data:; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    terms = f"{predictor.name}: {predictor.licence}" if predictor.licence else predictor.name
    for mark, text in (("@STYLE@", style), ("@SCRIPT@", script), ("@MODEL@", _text(terms))):
        page = page.replace(mark, text)
    return page, policy


def _text(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;")
