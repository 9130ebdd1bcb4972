"""MCF-Net's published predictions on the EyeQ test set, read without the package's own readers."""

import csv
import dataclasses

import numpy as np

# Rows truth: good, usable, reject, as published with the predictions.
CONFUSION = np.array([[8086, 380, 5], [691, 3420, 447], [47, 380, 2793]])


@dataclasses.dataclass(frozen=True)
class MCFNet:
    truth: np.ndarray  # [N] 0 good, 1 usable, 2 reject
    raw: np.ndarray  # [N, 3] sigmoid outputs; rows do not sum to 1
    patient: np.ndarray  # [N] str
    train: np.ndarray  # [3] training photographs of each class


def load(shared_data):
    folder = shared_data / "labels" / "eyeq"

    def table(name):
        with open(folder / name, encoding="utf-8") as file:
            return list(csv.DictReader(file))

    label = {row["image"]: int(row["quality"]) for row in table("Label_EyeQ_test.csv")}
    rows = table("mcfnet_predictions.csv")
    return MCFNet(
        np.array([label[row["image_name"]] for row in rows]),
        np.array([[float(row[k]) for k in ("Good", "Usable", "Reject")] for row in rows]),
        np.array([row["image_name"].split("_")[0] for row in rows]),
        np.bincount([int(row["quality"]) for row in table("Label_EyeQ_train.csv")]),
    )
