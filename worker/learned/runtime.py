"""ONNX Runtime on one thread, and silent: the only place that loads it.

Its wheels hold a client that keeps a database in the user's cache and sends events of its use to its makers (seen in 1.32 for
Linux). `ORT_DISABLE_TELEMETRY`, which the package `worker` sets, keeps all of that from happening when it is there as the library is loaded; the
function `disable_telemetry_events` comes too late for the database.
"""

from __future__ import annotations

import onnxruntime


def open_session(model: str | bytes, *, keep_memory: bool = True) -> onnxruntime.InferenceSession:
    """A session of a model, by its path or its content, on the CPU with one thread.

    Without `keep_memory` what a run took is given back after it. Raises whatever the runtime raises for a file that it
    cannot use, which are many bare exceptions.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = keep_memory
    options.log_severity_level = 4  # what matters is raised
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
