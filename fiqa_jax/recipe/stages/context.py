"""What stages share: the devices, the work directory and the sources opened so far."""

import dataclasses
import logging
from pathlib import Path

import jax
from ml_collections import ConfigDict

from fiqa_jax.recipe import required
from fiqa_jax.recipe.data import Data, open_data
from fiqa_jax.recipe.jobs import Job
from fiqa_jax.report import audit_page, data_audit, page
from fiqa_jax.training.devices import Devices
from input_pipeline.tables.table_error import TableError

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Context:
    """What stages share: devices, work directory, the recipe and the sources opened so far."""

    devices: Devices
    workdir: Path
    recipe: ConfigDict
    opened: dict[str, Data] = dataclasses.field(default_factory=dict)
    trust: frozenset[str] = frozenset()  # methods that the recipe's config names

    def data(self, job: Job) -> Data:
        """A job's data; stages with the same `data` section and fold share one source.

        The first to open it prints the audit and leaves it in its folder for the report.
        """
        section = job.config.data
        key = f"{section.to_json_best_effort(sort_keys=True)} {job.fold} {job.folds}"
        if key not in self.opened:
            try:
                data = open_data(section, self.workdir, job.fold, job.folds)
            except TableError as error:
                raise required.with_stage(error, self.recipe, job) from None
            if jax.process_index() == 0:
                audit = data_audit.of_source(data.source, data.split, section.workers)
                log.info("%s", data_audit.text(audit))
                page.save_section(job.directory, audit_page.section(audit))
            self.opened[key] = data
        return self.opened[key]
