"""Whether an exported model gives what the model gives."""

from collections.abc import Mapping

import numpy as np

from fiqa_jax.exports.onnx_graph import ExportError

TOLERANCE = 1e-4  # of probabilities and maps, which lie in [0, 1]


def largest_difference(
    expected: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]
) -> float:
    """The largest absolute difference between outputs of the same names and shapes.

    Raises:
      ExportError: names or shapes that differ, or a number where the other side has none.
    """
    if {*expected} != {*outputs}:
        raise ExportError(f"outputs {sorted(outputs)}, expected {sorted(expected)}")
    largest = 0.0
    for name, value in expected.items():
        a, b = (np.asarray(v, np.float64) for v in (value, outputs[name]))
        if a.shape != b.shape:
            raise ExportError(f"output {name}: {list(b.shape)}, expected {list(a.shape)}")
        if not np.array_equal(np.isfinite(a), np.isfinite(b)):
            raise ExportError(f"output {name}: numbers that are not finite, on one side alone")
        fine = np.isfinite(a)
        largest = max(largest, float(np.abs(a - b)[fine].max(initial=0.0)))
    return largest


def check(
    expected: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray], what: str
) -> float:
    """`largest_difference`, which has to stay within TOLERANCE.

    Raises:
      ExportError: it does not; nothing should be kept then.
    """
    largest = largest_difference(expected, outputs)
    if largest > TOLERANCE:
        raise ExportError(
            f"{what}: the export differs from the model by {largest:.2g}, more than {TOLERANCE:g}; "
            "nothing was written. Another version of the runtime may be at fault: try the other "
            "--format"
        )
    return largest
