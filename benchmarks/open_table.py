"""Writes the table of openly licensed photographs that `configs/open.py` learns from.

    python benchmarks/open_table.py --hrf HRF --chase CHASE_DB1 --idrid IDRID --output open.csv

HRF (Budai et al. 2013) and CHASE_DB1 (Owen et al. 2009) with a `labels.csv` each (columns `image`,
`original`, `vessels`, `participant`); IDRiD (Porwal et al. 2018): a folder of photographs, without
masks of vessels. All are CC BY 4.0.
"""

import argparse
import csv
from pathlib import Path

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif")


def rows(hrf: Path, chase: Path, idrid: Path) -> list[dict[str, str]]:
    out = []
    for folder, column, person in ((hrf, "image", "image"), (chase, "original", "participant")):
        with open(folder / "labels.csv", newline="") as file:
            for row in csv.DictReader(file):
                out.append(
                    {
                        "path": str((folder / row[column]).resolve()),
                        "id": f"{folder.name}/{Path(row[column]).stem}",
                        "patient": f"{folder.name}/{row[person]}",
                        "vessels": str((folder / row["vessels"]).resolve()),
                    }
                )
    for path in sorted(p for p in idrid.rglob("*") if p.suffix.lower() in SUFFIXES):
        name = f"{idrid.name}/{path.stem}"
        out.append({"path": str(path.resolve()), "id": name, "patient": name, "vessels": ""})
    return out


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    for name in ("hrf", "chase", "idrid", "output"):
        p.add_argument(f"--{name}", type=Path, required=True)
    args = p.parse_args()
    found = rows(args.hrf, args.chase, args.idrid)
    with open(args.output, "w", newline="") as file:
        writer = csv.DictWriter(file, found[0].keys())
        writer.writeheader()
        writer.writerows(found)
    print(f"{len(found)} photographs in {args.output}")


if __name__ == "__main__":
    main()
