"""One judged folder of the shares that `fiqa predict --shard I/N` left.

    fiqa predict photos/ --shard 1/8
    ...
    fiqa merge photos-judged

Every photograph must be there once, judged by the same model with the same flags. The rows come in
the order of the inputs, as of one run; the report is made of them all.
"""

import argparse
import collections
import json
import shutil
import sys
from pathlib import Path

from fiqa_jax import command
from fiqa_jax.inference import photos, run_record, run_shards
from fiqa_jax.inference.file_states import FileStates
from fiqa_jax.maps import map_files
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.row_log import RowLog
from fiqa_jax.report.judged import judged_page, thumbnails
from input_pipeline import atomic, lock
from input_pipeline.tables import folders, parquet_file


def parser() -> argparse.ArgumentParser:
    """The command line; see the module's docstring."""
    p = argparse.ArgumentParser("fiqa merge", description=__doc__.split("\n", 1)[0])
    text = "output of the shares: the folder that holds shards/"
    p.add_argument("folder", metavar="DIR", help=text)
    p.add_argument("--parquet", action="store_true", help=run_record.PARQUET_HELP)
    return p


def run(args: argparse.Namespace) -> int:
    """Joins the shares and writes what predict writes.

    Returns:
      The exit status of a run over all the photographs, see `command.of_files`.

    Raises:
      RunError: a share that is missing, unfinished or of another run; nothing is written then.
      lock.InUseError: a share is being judged.
    """
    out = Path(args.folder)
    if args.parquet:
        parquet_file.needed()
    merged = run_shards.joined(out)
    with lock.held(out):
        for folder in merged.folders:
            with lock.held(folder):
                for name in (thumbnails.FOLDER, photos.MAPS):
                    if (folder / name).is_dir():
                        shutil.copytree(folder / name, out / name, dirs_exist_ok=True)
        if (out / photos.MAPS).is_dir():
            map_files.table(out / photos.MAPS, out / photos.REGIONS)
        schema.write_jsonl(out / folders.JUDGED, merged.rows())
        rows = RowLog(out / folders.JUDGED)
        run_record.write_tables(out, rows.values(), merged.columns, args.parquet)
        FileStates(out).finish(rows, [FileStates(folder) for folder in merged.folders])
        text = json.dumps(merged.run, indent=1) + "\n"
        atomic.write(out / folders.RUN, text.encode())
        page = judged_page.write(out, rows.values())
    statuses = collections.Counter(row["status"] for row in rows.values())
    judged, failed = len(rows) - statuses["skipped"], statuses["error"]
    print(
        f"{judged} photographs of {len(merged.folders)} shards, {failed} of them could not be "
        f"read\n\nreport  {page}\ntable   {out / 'predictions.csv'}"
    )
    return command.of_files(failed, judged)


main = command.entry(parser, run)

if __name__ == "__main__":
    sys.exit(main())
