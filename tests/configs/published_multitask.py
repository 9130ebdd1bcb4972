"""What was published of semi-supervised multi-task learning; see `published` for the sources."""

from typing import Any

from published_rows import NOT_PUBLISHED, OWN_DATA, Row


def multitask(name: str, epochs: float, batch: int) -> tuple[Row, ...]:
    """Telesco et al.: what is known of it, and what was chosen where nothing is."""

    def ours(setting: str, value: Any, reason: str) -> Row:
        return Row(setting, NOT_PUBLISHED, "-", reason, value)

    grade = "quality" if name == "eyeq" else "ungradable"
    lab = "what the same laboratory's toolbox and the field use"
    geometry = "geometry alone: light and blur are the labels"
    return (
        Row("data.source", name, "P", OWN_DATA),
        Row("data.classes", 3 if name == "eyeq" else 2, "P and the sets' labels", "of the set"),
        Row("model.name", "resnet18", "P"),
        Row(
            "stage.teacher.data.source", "mshf", "a summary of the paper; its labels fit", OWN_DATA
        ),
        Row("stage.teacher.data.details", ("illumination", "clarity", "contrast"), "P"),
        Row("stage.teacher.method.heads", ("details",), "P: learns the quality details"),
        Row("stage.single.method.heads", (grade,), "P: one task", "of the set"),
        Row(
            "stage.student.method.heads",
            (grade, "details"),
            "P: overall quality and details",
            "of the set",
        ),
        Row("stage.student.labels", "labels", "P: pseudo-labels of the teacher"),
        Row("stage.labels.of", "teacher", "P"),
        Row("stage.labels.split", "train", "P: of the set's training photographs"),
        Row("data.lists", "", "the sets' own training and test photographs"),
        ours("data.split", (0.8, 0.2, 0.0), "where a set has no validation list, a fifth"),
        ours("stage.student.align_labels", False, "pseudo-labels as the teacher gives them"),
        ours("stage.teacher.data.lists", "", "MSHF's own list for training networks, without UWF"),
        ours("stage.teacher.optim.lr", 1e-4, lab),
        ours("stage.teacher.train.batch", 32, "a small set"),
        ours("stage.student.train.select", "", "the last: the best grade may come early"),
        ours("data.mean", (0.485, 0.456, 0.406), "ImageNet's, as its weights"),
        ours("data.std", (0.229, 0.224, 0.225), "ImageNet's, as its weights"),
        ours(
            "stage.student.method.pseudo", "hard", "EyeQ-D, which they are held against, is binary"
        ),
        ours("stage.student.model.init", "single", "'a pre-trained model' is fine-tuned"),
        ours("stage.student.loss.details", 1.0, "grade and mean of the details alike"),
        ours("model.weights", "resnet18.safetensors", "ImageNet's, the standard"),
        ours("data.side", 512, "QuickQual and AutoMorph use 512"),
        ours("data.crop", "field", "EyeQ's preparation crops to the field"),
        ours("augment.train", "flip|rotate(180)|crop(0.85, 1.0, 0.95, 1.05)", geometry),
        ours("optim.name", "adamw", lab),
        ours("stage.single.optim.lr", 1e-4, lab),
        ours("stage.student.optim.lr", 5e-5, "fine-tuning: half"),
        ours("optim.weight_decay", 1e-4, lab),
        ours("optim.schedule", "cosine", lab),
        ours("optim.floor", 0.01, lab),
        ours("optim.warmup", 0.04, "an epoch of 25"),
        ours("optim.clip", 1.0, lab),
        ours("loss.class_weight", "none", "plain cross-entropy"),
        ours("train.batch", batch, "what fits"),
        ours("stage.teacher.train.epochs", 50.0, "a small set"),
        ours("stage.single.train.epochs", epochs, "to convergence of such networks"),
        ours("stage.student.train.epochs", 0.6 * epochs, "fine-tuning"),
        ours("stage.single.train.select", f"{grade}_macro_f1", "the metric that is reported"),
        ours("stage.teacher.train.select", "details_macro_f1", "the metric that is reported"),
        ours("repeat.seed", 5, "DeepDRiD's difference is below one standard error"),
    )
