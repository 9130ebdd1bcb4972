"""docs/paper_settings.md, made from the configs and the list of what was published.

    python tests/configs/paper_table.py

Run it from the repository's root after a change of either; a test holds the file against it.
"""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import published
import published_rows
from ml_collections import ConfigDict

from fiqa_jax.pretrained import shipped

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "paper_settings.md"
COUNTED = ("data.diagnosis",)  # of which the number of names is published

HEAD = """\
# Settings of `:paper`

What was published, what `configs/*.py:paper` has, and what the same config has without `:paper`,
method by method. Made by `python tests/configs/paper_table.py`; a test holds this file against the
configs. Sources: **P** the paper, **C** its released code, **S** its slides, **R2** the code of
R2-V2, the segmentor that EFIQA was trained on. `-`: nothing there says. The reason is why the
default, or `:paper` itself, is another; rows without one do not differ. Networks, losses and rules
are held against the released code elsewhere (tests named `parity`, `golden`).
"""


def load(config: str, argument: str) -> ConfigDict:
    """`configs/<config>.py:<argument>`."""
    spec = importlib.util.spec_from_file_location(config, ROOT / "configs" / f"{config}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(argument)


def value_of(config: ConfigDict, setting: str) -> Any:
    """A setting by its name on the command line; ... where the config has none such."""
    here: Any = config
    for part in setting.split("."):
        if not isinstance(here, ConfigDict) or part not in here:
            return ...
        here = here[part]
    return len(here) if setting in COUNTED else here


def shown(value: Any, config: ConfigDict | None = None, setting: str = "") -> str:
    """A value in a cell; of runs whose length is counted in steps, the steps."""
    if value is ...:
        return "-"
    if config is not None and setting.endswith("train.epochs") and not value:
        return f"`{value_of(config, setting.replace('epochs', 'steps'))}` steps"
    text = f"{value:.5g}" if isinstance(value, float) else str(value)
    text = text.replace(f"{shipped.FOLDER}/", "shipped: ")
    return f"`{text}`" if text else '`""`'


def text() -> str:
    """The whole file."""
    blocks = [HEAD]
    for method in published.METHODS:
        paper = load(method.config, method.argument)
        default = load(method.config, method.default)
        lines = [
            f"## {method.title}: `configs/{method.config}.py:{method.argument}`",
            "",
            "| setting | default | paper | `:paper` | source | reason |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for row in method.rows:
            before, now = value_of(default, row.setting), value_of(paper, row.setting)
            said = "-" if row.paper is published_rows.NOT_PUBLISHED else shown(row.paper)
            reason = row.reason if before != now or row.value is not ... else ""
            cells = (f"`{row.setting}`", shown(before, default, row.setting), said)
            cells += (shown(now, paper, row.setting), row.source, reason)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        blocks.append("\n".join(lines) + "\n")
    lines = ["## Numbers in the code", "", "| where | value | published |", "| --- | --- | --- |"]
    for module, name, _, source in published.CONSTANTS:
        value = getattr(importlib.import_module(module), name)
        lines.append(f"| `{module}.{name}` | {shown(value)} | {source} |")
    return "\n".join([*blocks, "\n".join(lines) + "\n"])


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
