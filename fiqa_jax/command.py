"""How commands end: see `input_pipeline.exit_status`, which the commands of both packages share."""

from input_pipeline.exit_status import ALL_FAILED as ALL_FAILED
from input_pipeline.exit_status import DONE as DONE
from input_pipeline.exit_status import INTERRUPTED as INTERRUPTED
from input_pipeline.exit_status import NOT_STARTED as NOT_STARTED
from input_pipeline.exit_status import READER_LEFT as READER_LEFT
from input_pipeline.exit_status import SOME_FAILED as SOME_FAILED
from input_pipeline.exit_status import TERMINATED as TERMINATED
from input_pipeline.exit_status import USAGE as USAGE
from input_pipeline.exit_status import Stopped as Stopped
from input_pipeline.exit_status import gently as gently
from input_pipeline.exit_status import of_files as of_files
from input_pipeline.exit_status import run as run
