"""`python -m fiqa_jax.report DIR`: makes the report of a folder again."""

import sys

from fiqa_jax.report.build import main

if __name__ == "__main__":
    sys.exit(main())
