"""`python -m training <step>`: data, train, calibrate, export, evaluate; each reads and writes the work folder."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

from training import steps

STEPS = ("data", "train", "calibrate", "export", "evaluate")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--work", type=Path, default=Path("training-out"), help="folder for what steps write")
    parser.add_argument("--data", type=Path, help="folder with text/*.jsonl.gz; else $MODERATOR_DATA")
    parser.add_argument(
        "--models", type=Path, default=Path("worker/policies/models"), help="where export writes"
    )
    parser.add_argument(
        "--cards", type=Path, default=Path("docs/models"), help="the model cards that evaluate renews"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    arguments.work.mkdir(parents=True, exist_ok=True)
    folder = arguments.data or os.environ.get("MODERATOR_DATA")
    if arguments.step == "data":
        if folder is None:
            parser.error("set MODERATOR_DATA or --data to the folder with the public sources")
        steps.data(Path(folder), arguments.work)
    elif arguments.step == "train":
        steps.train(arguments.work, arguments.threads)
    elif arguments.step == "calibrate":
        steps.calibrate(arguments.work, arguments.threads)
    elif arguments.step == "export":
        steps.export(arguments.work, arguments.models)
    else:
        steps.evaluate(arguments.work, arguments.cards, arguments.threads)


if __name__ == "__main__":
    main()
