from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.worker.media.test_classifier import describe, save_model

_LOADS = """
import sys
from pathlib import Path
from worker.media.classifier import choose, load_classifier
load_classifier(choose(Path(sys.argv[1])))
assert "onnxruntime" in sys.modules
"""


def test_using_a_model_leaves_no_trace_and_reports_nothing(tmp_path: Path) -> None:
    """The runtime's client of events begins with a database below the user's cache, whether or not it may send."""
    model = describe(tmp_path, save_model(tmp_path))
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    done = subprocess.run(
        [sys.executable, "-c", _LOADS, str(model)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not [
        path for path in home.rglob("*") if "onnx" in path.name.lower() or "microsoft" in path.name.lower()
    ]


def test_nothing_else_loads_the_runtime() -> None:
    root = Path(__file__).parents[3]
    others = [
        path.relative_to(root).as_posix()
        for folder in ("worker", "training")
        for path in (root / folder).rglob("*.py")
        if "import onnxruntime" in path.read_text(encoding="utf-8")
    ]
    assert others == ["worker/learned/runtime.py"]
