"""Every setting, its default and its meaning. Configs hold differences to this file only.

A recipe has stages. Each stage owns a full copy of the sections below whose values follow the
top-level ones until they are set: `--config.optim.lr=1e-3` reaches every stage that does not set
its own, `--config.stage.student.optim.lr=1e-3` reaches one.
"""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from fiqa_jax.defaults.method_settings import MADE, METHODS

__all__ = ["METHODS", "add_stage", "base", "parse_arg", "resolved"]

SECTIONS = ("data", "model", "loss", "optim", "augment", "train", "method")


def base() -> ConfigDict:
    """Default settings of a recipe, without stages. Returns an unlocked ConfigDict."""
    c = ConfigDict()
    c.name = ""  # shown in reports; the config's file name when empty
    c.seed = 0  # one integer decides order, initial weights, augmentation and splits
    c.parallel = "jit"  # jit: arrays sharded over a device mesh | pmap: one program per device
    c.deterministic = False  # bit-equal reductions on GPUs, slower
    c.repeat = ConfigDict({"seed": 1, "fold": 1})  # how often stages marked `repeat` run
    # Pairs (field such as 'good.data.path' or 'data.path', what it is in words): asked for by that
    # name where the user has to give it.
    c.asks = ()
    c.deliver = ""  # stage whose model becomes WORKDIR/model; of repetitions, the first

    c.data = ConfigDict()
    c.data.source = (
        "drawn"  # drawn | csv | folder | degraded | defects | resaved | tfds | a data set
    )
    # csv: the table; folder, data set: its root; tfds: of a prepared builder. The command line's
    # data.dir is read as this.
    c.data.path = ""
    c.data.root = ""  # csv: folder that relative paths start from; the table's folder when empty
    c.data.columns = ()  # csv: pairs (what for: path, patient, quality ..., column name)
    c.data.quality_codes = ()  # csv: pairs (what stands in the table, class name); for bare numbers
    c.data.patient = ""  # csv: regex whose groups are the patient in an id; without a column for it
    c.data.detail_code = ""  # csv: what 1 means in a detail's column: defect | good
    # Data sets: eyeq, eyeq_d, deepdrid, mshf, drimdb, funpiq, iqad/EYEQ, vessels/hrf, ... (see
    # input_pipeline.readers). Where to get them: `python -m input_pipeline.prepare eyeq --help`.
    # data set: whose split; "" its default. iqad: official (by patient) | mkcnet; mshf: official |
    # all (every photograph is for training).
    c.data.lists = ""
    c.data.counts = "published"  # data set: labels must have the published counts | any: noted
    c.data.no_field = "frame"  # no round field: frame (taken whole) | error (unreadable)
    # Pictures that show no eye: False (left out, as in use) | True (kept; the model judges such)
    c.data.allow_frame = False
    # Text file with the names of photographs to leave out, one a line; "?": has to be given.
    c.data.exclude = ""
    c.data.side = 128  # pixels; photographs become side x side squares
    # What of a photograph is shown: field (the square about the field of view) | frame (all of it,
    # black beside it) | squash (all of it, stretched to a square: as many published programs do).
    c.data.crop = "field"
    c.data.resample = "bilinear"  # of crop=squash: bilinear | bicubic (Pillow)
    c.data.modality = "fundus"  # fundus: find the field of view | slice: whole frame, one channel
    c.data.erase = ()  # boxes (left, top, right, bottom) in original pixels, painted black
    c.data.split = (0.7, 0.1, 0.2)  # train, val, test shares by patient where the source has none
    c.data.fold = 0  # which fold is tested when repeat.fold > 1
    c.data.folds = 1  # patient-disjoint folds, stratified by label; set by repeat.fold
    c.data.on_bad = "error"  # a file that cannot be read: error | skip (counted and listed)
    c.data.driver = "tfdata"  # tfdata | threads (no TensorFlow)
    c.data.workers = 2  # photographs read at a time
    c.data.cache = "auto"  # none | memory | disk | auto (memory up to 1 GiB, then disk)
    c.data.store = ""  # folder of prepared photographs; the workdir's `prepared` when empty
    c.data.classes = 3  # quality classes: 3 good/usable/reject | 2 gradable/ungradable | 0 none
    c.data.details = ("illumination", "clarity", "contrast")  # defects with a label; () for none
    c.data.diagnosis = ()  # names of diagnosis classes; () for none
    # drawn, csv: class of each of the five grades, e.g. (0, 1, 1, 1, 2); () as they are
    c.data.merge = ()
    c.data.mean = (0.485, 0.456, 0.406)  # of RGB in [0, 1]; ImageNet's
    c.data.std = (0.229, 0.224, 0.225)
    c.data.count = 600  # drawn: how many photographs
    c.data.style = "a"  # drawn: camera style
    c.data.lesion_scale = 1.0  # drawn: size of lesions, 1 as in nature
    c.data.lq_ratio = 0.5  # drawn, degraded: share of low quality (usable or reject)
    c.data.severity_mix = (0.5, 0.5)  # drawn, degraded: of those, shares of usable and reject
    c.data.kinds = ()  # drawn, degraded: names of synthetic.KINDS; () all, "local" those on a part
    # degraded: good photographs in a folder | csv; resaved: any; settings as for those
    c.data.base = "folder"
    # degraded, defects: of each photograph; resaved: of one of up to 256 pixels
    c.data.copies = 8
    c.data.vessels = ""  # degraded: folder of vessel masks, called like the photographs
    c.data.seed = 0  # which photographs are drawn, how they degrade, who goes to which split
    c.data.limit = 0  # train on this many photographs only; 0 for all

    c.model = ConfigDict()
    c.model.name = "resnet18"  # a key of fiqa_jax.models.MODELS
    c.model.width = 1.0  # factor on every channel count
    c.model.precision = "float32"  # compute dtype: float32 | bfloat16 | float64 (JAX_ENABLE_X64)
    c.model.weights = ""  # .safetensors from `python -m fiqa_jax.convert`; empty: random
    c.model.init = ""  # name of a finished stage to start from
    c.model.skip = ()  # regexes of parameters that stay as initialised

    c.loss = ConfigDict()
    c.loss.quality = 1.0  # weight of the overall grade
    c.loss.details = 1.0  # weight of the mean over details
    c.loss.diagnosis = 1.0  # weight of the diagnosis
    c.loss.class_weight = "none"  # none | inv_freq: overall classes weighted by 1 / frequency
    c.loss.smoothing = 0.0  # label smoothing of the overall grade

    c.optim = ConfigDict()
    c.optim.name = "adamw"  # adamw | adam | sgd
    c.optim.lr = 1e-4
    c.optim.schedule = "cosine"  # cosine | constant | linear | step
    c.optim.floor = 0.01  # cosine and linear end at this share of lr
    c.optim.warmup = 0.0  # share of the run that the rate rises linearly
    c.optim.step_share = 0.5  # step: the rate is multiplied by `step_factor` every such share
    c.optim.step_factor = 0.5
    c.optim.weight_decay = 1e-4
    c.optim.momentum = 0.9  # sgd
    c.optim.b1 = 0.9
    c.optim.b2 = 0.999
    c.optim.eps = 1e-8
    c.optim.clip = 1.0  # global gradient norm; 0 for none
    c.optim.ema = 0.0  # decay of the moving average of weights and statistics; 0 for none
    # (regex over parameter paths, factor on lr or None = frozen); the first match counts
    c.optim.groups = ((".*", 1.0),)
    c.optim.decay = ((r".*/kernel", 1.0), (".*", 0.0))  # (regex, factor on weight_decay)

    c.augment = ConfigDict()
    c.augment.train = "flip|rotate(180)|zoom(0.85, 1.0)"  # see fiqa_jax/spec.py; "" for none

    c.train = ConfigDict()
    c.train.batch = 32  # over all devices
    c.train.steps = 0  # give exactly one of steps, epochs
    c.train.epochs = 0.0
    c.train.eval_every = 0.1  # share of the run between validations
    c.train.save_every = 0.1  # share of the run between checkpoints
    c.train.log_every = 10  # steps
    c.train.keep = 2  # newest checkpoints kept, beside the best
    c.train.select = ""  # validation metric that picks the weights, e.g. quality_nll; "": last

    c.method = ConfigDict()  # settings of one method; a config takes them from METHODS
    return c


def _inherit(section: ConfigDict) -> ConfigDict:
    out = ConfigDict()
    for key in section:
        child = section[key]
        out[key] = _inherit(child) if isinstance(child, ConfigDict) else section.get_oneway_ref(key)
    return out


def add_stage(config: ConfigDict, name: str, kind: str, **settings: Any) -> ConfigDict:
    """Appends a stage whose sections follow the top level's. Call once the top level is complete.

    Args:
      config: the recipe; `config.stages` and `config.stage[name]` are extended.
      name: the stage's folder in the work directory.
      kind: train | apply | fit | compare.
      **settings: fields of the stage: `method` (train, fit 'coreset'), `of` (a stage or tuple of
        stages that this one reads), `labels` (an apply stage whose outputs become labels; with
        `align_labels` they are as frequent as where their model learned them), `inputs` (triples of
        a name in the batch, an apply stage and what it stored: taken in place of the photograph),
        `store` (outputs, or arrays of the batch, kept for such use), `features` (apply: stores an
        encoder's features instead of a model's outputs; of the stage `of`, else of `encoder`, at
        `size` pixels or as they are), `path` (fit 'model': a model directory), `repeat` (bool), and
        `section={'field': value}` for its own differences.

    Returns:
      The stage's ConfigDict.

    Raises:
      ValueError: a kind or field that does not exist.
    """
    stage = ConfigDict()
    stage.kind = kind
    stage.repeat = False  # runs once for every repetition of config.repeat
    for key in SECTIONS:
        section = config.get(key)
        stage[key] = _inherit(section)
    fields: Mapping[str, Any] = STAGE_FIELDS.get(kind, {})
    if kind not in STAGE_FIELDS:
        raise ValueError(f"stage {name!r}: kind {kind!r} is none of {sorted(STAGE_FIELDS)}")
    for key, value in fields.items():
        stage[key] = value
    uses = settings.get("uses", MADE.get(settings.get("artefact", ""), ""))
    for field, value in METHODS.get(uses, {}).items():
        if field not in stage.method:  # a recipe of several methods has none of them on top
            stage.method[field] = value
    for key, value in settings.items():
        if key in SECTIONS:
            for field, changed in value.items():
                _set(stage[key], field, changed, f"stage.{name}.{key}")
        elif key == "repeat" or key in fields:
            stage[key] = value
        else:
            known = sorted({*fields, "repeat", *SECTIONS})
            raise ValueError(f"stage {name!r} ({kind}) has no field {key!r}; it has {known}")
    config.stages = (*config.get("stages", ()), name)
    if "stage" not in config:
        config.stage = ConfigDict()
    config.stage[name] = stage
    return stage


def _set(section: ConfigDict, field: str, value: Any, where: str) -> None:
    if field not in section:
        raise ValueError(f"{where} has no field {field!r}; it has {sorted(section)}")
    section[field] = value


STAGE_FIELDS: dict[str, dict[str, Any]] = {
    "train": {
        "uses": "multitask",
        "labels": "",
        "shuffle_labels": False,
        "align_labels": False,
        "inputs": (),
    },
    "apply": {
        "of": "",
        "split": "train",
        "inputs": (),
        "store": (),
        "features": False,
        "encoder": "",
        "size": 0,
    },
    # band: of a calibration, limits of the score for the decision; without them the grade decides
    "fit": {"of": "", "split": "val", "artefact": "", "inputs": (), "path": "", "band": True},
    "compare": {"of": (), "split": "test", "metrics": (), "reference": "", "sweep": ()},
}


def parse_arg(arg: str, **defaults: Any) -> ConfigDict:
    """Reads the text behind the colon of `configs/x.py:tiny,seed=3`.

    Args:
      arg: comma-separated words and `key=value` pairs. A word sets a boolean default to True.
      **defaults: the known keys with typed defaults.

    Returns:
      ConfigDict of all keys.

    Raises:
      ValueError: a key that is not known; the message lists those that are.
    """
    out = ConfigDict(defaults)
    for part in filter(None, (p.strip() for p in (arg or "").split(","))):
        key, _, text = part.partition("=")
        if key not in defaults:
            raise ValueError(f"config argument {key!r} is not known; known: {sorted(defaults)}")
        kind = type(defaults[key])
        out[key] = (not text or text.lower() in ("1", "true")) if kind is bool else kind(text)
    return out


def resolved(config: ConfigDict) -> dict[str, Any]:
    """Plain nested dict with every reference replaced by its value (for digests and JSON)."""
    return config.copy_and_resolve_references().to_dict()
