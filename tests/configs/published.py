"""What was published, setting by setting, with its source: the list that `:paper` is held against.

Restated from the papers and the released code:
  P   the paper; C its released code; S its slides; R2 the released code of R2-V2.
  EFIQA: Wang et al., MIDL 2026 (PMLR 315:2248-2264), code penway/EFIQA at 88b789a.
  EFIQA-CP: the FunPiQ paper (MICCAI 2026) and its code, as released in May 2026.
  MKCNet: Che, Chen and Chen, CVPR 2023, code chehx/MKCNet at 1150ce2.
  Multi-task: Telesco et al., Biomed Signal Process Control 113 (2026) 109167; its settings are not
  public, so that most rows say what was chosen and why.
"""

from published_efiqa import BCE, FEATURES, GRADES, NNPU, VUAD, adapter, network
from published_mkcnet import COMMON, MKCNET, mkcnet
from published_multitask import multitask
from published_rows import DINOV3, REVISION, SEED, SQUASH, Method, Row

METHODS = (
    Method("EFIQA", "efiqa", "paper", "", VUAD + FEATURES + adapter(20.0, "P, README")),
    Method("EFIQA, grades of EyeQ", "efiqa", "paper,grades", "grades", GRADES),
    Method(
        "EFIQA-CP",
        "efiqa_cp",
        "paper",
        "",
        (
            Row("seed", 504, "C", SEED, 0),
            Row("stage.fine_features.data.side", 1024, "P, C", "the default reads photographs"),
            Row("stage.fine_features.encoder", DINOV3, "P, C", "the default reads photographs"),
            Row("stage.fine_features.data.crop", "squash", "C", SQUASH),
            *network("efiqa_cp", NNPU),
            *network("cnn", BCE),
            *adapter(100.0, "C: of this ablation"),
        ),
        tuple(row for row in VUAD if row.setting != "seed") + FEATURES,
    ),
    *(
        Method(
            f"MKCNet, {MKCNET[name][0]}",
            "mkcnet",
            f"paper:{name}",
            "",
            mkcnet(name),
            () if name == "deepdr" else COMMON,
        )
        for name in MKCNET
    ),
    Method("Multi-task, EyeQ", "multitask", "paper", "", multitask("eyeq", 25.0, 64)),
    Method(
        "Multi-task, DeepDRiD",
        "multitask",
        "paper,set=deepdrid",
        "",
        multitask("deepdrid", 40.0, 32),
    ),
)

# Numbers that stand in the code, because no recipe would change them: module, name, value, source.
CONSTANTS = (
    ("fiqa_jax.methods.efiqa_masks", "EPOCHS", 100, "EFIQA, P: of the schedules below"),
    ("fiqa_jax.methods.efiqa_masks", "WARM", 20, "EFIQA, P, C: epoch at which they begin to move"),
    ("fiqa_jax.methods.efiqa_masks", "FULL", 80, "EFIQA, P, C: epoch at which they end"),
    ("fiqa_jax.methods.efiqa_masks", "MASKED", 0.8, "EFIQA, P, C: least share masked, falls to 0"),
    ("fiqa_jax.methods.efiqa_masks", "CROPPED", 0.5, "EFIQA, P, C: share cropped, rises from 0"),
    ("fiqa_jax.methods.efiqa_masks", "FEWEST", 4, "EFIQA, C: blocks along an edge"),
    ("fiqa_jax.methods.efiqa_masks", "MOST", 32, "EFIQA, C: blocks along an edge"),
    ("fiqa_jax.methods.efiqa_masks", "SMALLEST", 0.5, "EFIQA, P, C: of a crop"),
    ("fiqa_jax.methods.efiqa_masks", "FEED", 224 / 256, "EFIQA, C: of a crop, 224 pixels or more"),
    ("fiqa_jax.methods.efiqa_labels", "SHARE", 0.9, "EFIQA, C: relax ratio of a cell"),
    ("fiqa_jax.methods.efiqa_labels", "PUBLISHED", 0.02, "EFIQA, C: threshold of its network"),
    ("fiqa_jax.pretrained.hub", "REVISIONS", {DINOV3: REVISION}, "EFIQA, C: of the encoder"),
    ("fiqa_jax.maps.pooling", "STEPS", 50_000, "EFIQA, P: from map to photograph"),
    ("fiqa_jax.maps.pooling", "RATE", 3e-4, "EFIQA, P: AdamW"),
    ("fiqa_jax.maps.pooling", "DECAY", 0.01, "EFIQA, P: AdamW's default"),
    ("fiqa_jax.maps.pooling", "BATCH", 32, "EFIQA, P"),
    ("fiqa_jax.models.efiqa_cp", "DROP", (0.033, 0.066, 0.1), "EFIQA-CP, C: drop-path of stages"),
    ("fiqa_jax.models.efiqa_cp", "BLOCKS", (2, 2, 1), "EFIQA-CP, C: of each stage"),
    ("fiqa_jax.models.efiqa_cp", "KERNEL", 7, "EFIQA-CP, C: of a block"),
    ("fiqa_jax.models.efiqa_cp", "EPSILON", 1e-6, "EFIQA-CP, C: of layer normalisation"),
    ("fiqa_jax.methods.efiqa_inpaint", "GREY", (0.299, 0.587, 0.114), "EFIQA, C: grey of a map"),
    (
        "fiqa_jax.methods.efiqa_labels",
        "COMPAT",
        (0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15),
        "EFIQA: cells that scipy's zoom takes of 16 for 14, as its authors used it",
    ),
    ("fiqa_jax.models.mkcnet", "OTHERS", 1e-8, "MKCNet, C: mask of other joint classes"),
    (
        "fiqa_jax.models.vgg",
        "BLOCKS",
        ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)),
        "MKCNet, C: VGG-16, channels and convolutions",
    ),
    ("input_pipeline.photo.enhance", "WIDTH", 1408, "R2-V2: of its preparation"),
    ("input_pipeline.photo.enhance", "MULTIPLE", 32, "R2-V2: padding"),
)
