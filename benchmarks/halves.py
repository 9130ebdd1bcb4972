"""HRF and CHASE_DB1 in two halves, one to train with and one to test on, as tables.

    python benchmarks/halves.py HRF CHASE FOLDER

HRF and CHASE are folders with a `labels.csv` (columns `image`, `vessels`; HRF `av`, arteries and
veins in colour; CHASE `participant`). Every second child of CHASE_DB1 and every second photograph
of HRF in the order of their names is for training. HRF does not say who was photographed: there
each photograph counts as a person.

TRAIN.csv is for training a segmentor, with colours where there are some; TEST_HRF.csv and
TEST_CHASE.csv are for testing it. HALVES.csv has all photographs and a column `split`.
"""

import argparse
import csv
from pathlib import Path

COLUMNS = ("path", "vessels", "patient")


def rows(folder: Path, person: str) -> list[dict[str, str]]:
    """`labels.csv` as COLUMNS with `av` and `split`, paths absolute, by person and name."""
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        found = sorted(csv.DictReader(file), key=lambda row: (row[person], row["image"]))
    first = sorted({row[person] for row in found})[::2]
    out = []
    for row in found:
        names = {"path": row["image"], "vessels": row["vessels"]}
        names["av"] = row.get("av", row["vessels"])
        paths = {purpose: str((folder / name).resolve()) for purpose, name in names.items()}
        split = "train" if row[person] in first else "test"
        out.append({**paths, "patient": f"{folder.name}-{row[person]}", "split": split})
    return out


def write(file: Path, found: list[dict[str, str]], columns: tuple[str, ...] = COLUMNS) -> None:
    """Writes a table, and says what it holds."""
    with file.open("w", newline="", encoding="utf-8") as opened:
        table = csv.DictWriter(opened, columns, extrasaction="ignore")
        table.writeheader()
        table.writerows(found)
    print(f"{len(found):3d} photographs of {len({r['patient'] for r in found})} people in {file}")


def main() -> None:
    """Reads both tables and writes four."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hrf", type=Path)
    parser.add_argument("chase", type=Path)
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    hrf, chase = rows(args.hrf, "image"), rows(args.chase, "participant")
    write(args.output / "HALVES.csv", hrf + chase, (*COLUMNS, "split"))
    train = [row | {"vessels": row["av"]} for row in hrf + chase if row["split"] == "train"]
    write(args.output / "TRAIN.csv", train)
    for name, found in (("HRF", hrf), ("CHASE", chase)):
        write(args.output / f"TEST_{name}.csv", [row for row in found if row["split"] == "test"])


if __name__ == "__main__":
    main()
