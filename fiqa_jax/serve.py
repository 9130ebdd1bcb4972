"""A page to drop photographs on, and the same as an HTTP endpoint, on one's own machine.

    fiqa serve
    curl -F photo=@eye.jpg http://127.0.0.1:8000/judge

Only this machine can ask unless --host names another address. Nothing is stored. Needs the extra
`app` (Starlette, uvicorn, python-multipart).
"""

import argparse
import ipaddress
import sys
from collections.abc import Sequence

from fiqa_jax import command
from fiqa_jax.pretrained import shipped

LOCAL = ("127.0.0.1", "localhost", "::1", "[::1]")
NEEDED = "the extra app is needed: pip install 'fiqa-jax[app]' (starlette, uvicorn)"


class ServeError(ValueError):
    """A server that cannot start; says why and what to do."""


def parser() -> argparse.ArgumentParser:
    """The command line; see the module's docstring."""
    p = argparse.ArgumentParser("fiqa serve", description=__doc__.split("\n", 1)[0])
    text = f"a recipe's WORKDIR/model, or the name of one in the package ({shipped.DEFAULT})"
    p.add_argument("--model", default=shipped.DEFAULT, metavar="DIR", help=text)
    text = "limits fitted to your own labels: a file of fiqa calibrate"
    p.add_argument("--calibration", default="", metavar="FILE", help=text)
    p.add_argument("--port", type=int, default=8000, help="(%(default)s)")
    text = "address to listen on (%(default)s: this machine alone)"
    p.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help=text)
    text = "a name under which other machines may ask, with --host"
    p.add_argument("--name", action="append", default=[], metavar="NAME", help=text)
    p.add_argument("--allow-frame", action="store_true", help="see fiqa predict")
    return p


def run(args: argparse.Namespace) -> None:
    """Loads the model, judges one photograph so that it is compiled, and serves.

    Raises:
      ServeError: the extra is not installed, or an address that others reach without --name.
      ModelError, CalibrationError: see `Predictor`.
    """
    hosts = allowed(args.host, args.name)
    try:
        import python_multipart  # noqa: F401
        import uvicorn

        from fiqa_jax.serving.app import application
    except ImportError:
        raise ServeError(NEEDED) from None
    from fiqa_jax.inference.predictor import Predictor
    from input_pipeline import synthetic

    predictor = Predictor(args.model, allow_frame=args.allow_frame, calibration=args.calibration)
    print("the model is compiled for this machine ...", flush=True)
    predictor(synthetic.draw(0, 128, "a").image)
    config = uvicorn.Config(
        application(predictor, hosts),
        host=args.host,
        port=args.port,
        log_config=None,  # its warnings and errors go to stderr as those of other libraries do
        log_level="warning",
        access_log=False,  # names of files are nobody's business
        server_header=False,
    )
    if not _local(args.host):
        print(
            f"listening on {args.host}: everybody who reaches it can have photographs judged; what "
            "they send is not encrypted",
            file=sys.stderr,
        )
    shown = f"[{args.host}]" if ":" in args.host else args.host
    print(f"http://{shown}:{args.port}/  judges with {predictor.name}; Ctrl+C ends it", flush=True)
    uvicorn.Server(config).run()


def allowed(host: str, names: Sequence[str]) -> list[str]:
    """Names under which the server answers.

    Raises:
      ServeError: other machines could reach it, and no name was given for them.
    """
    if not _local(host) and not names:
        raise ServeError(
            f"--host {host} lets other machines ask: say under which names they do, as their "
            "address bar shows them, --name eye.clinic.local, once for each"
        )
    if any("*" in name or ":" in name for name in names):
        raise ServeError(f"--name {' '.join(names)}: expected whole names, without port or *")
    return [*LOCAL, *names]


def _local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


main = command.entry(parser, run)

if __name__ == "__main__":
    sys.exit(main())
