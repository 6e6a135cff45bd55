"""`moderator`: judges posts by the Twitter Rules and publishes enforcement actions, with reasons."""

import os

__version__ = "0.1.0"

# Before anything of the package loads ONNX Runtime: see `worker.learned.runtime`.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
