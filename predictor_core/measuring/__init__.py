"""Whole-model latencies: measured here with real runtimes, or read from the logs of other tools.

`runtimes` holds one adapter a runtime, `timing` the clock, `campaign` many models and a file of rows,
`measurements` that file, and `logs` the readers of other tools' output.
"""

from typing import TYPE_CHECKING

from predictor_core.lazy import lazy_names

if TYPE_CHECKING:
    from predictor_core.measuring.measure import Measurement, measure_latency
    from predictor_core.measuring.measurements import write_measurements
    from predictor_core.measuring.rows import Row

__all__ = ["Measurement", "Row", "measure_latency", "write_measurements"]

# Resolved on first use: the command line needs no more than the names of the runtimes.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "measure": ["Measurement", "measure_latency"],
        "measurements": ["write_measurements"],
        "rows": ["Row"],
    },
)
