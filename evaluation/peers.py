"""Peers, asked in an environment of their own (see peers.txt), so that their pins do not bind the product."""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.signals import FloatArray, IndexArray

PYTHON = Path("var/peers/bin/python")
_PINS = Path(__file__).with_name("peers.txt")
_WORKER = Path(__file__).with_name("peer_worker.py")


def peer_version(package: str) -> str:
    """As peers.txt has it."""
    lines = _PINS.read_text(encoding="utf-8").splitlines()
    return next(line.split()[0].removeprefix(f"{package}==") for line in lines if line.startswith(f"{package}=="))


@dataclass(frozen=True)
class PeerAnswer:
    """Change points of each series asked about, and the CPU seconds that finding them took, imports excluded."""

    version: str
    cpu_seconds: float
    change_points: list[IndexArray]


def answer_of(worker: Path, **asked: Any) -> dict[str, Any]:
    """What a script answers in the environment of the peers, its warnings aside; both sides speak JSON.

    Raises FileNotFoundError where the peers are not installed.
    """
    if not PYTHON.exists():
        raise FileNotFoundError(f"{PYTHON} is absent: `make evaluate` and `make bench` install the peers, so does "
                                "`make var/peers/.installed`")  # fmt: skip
    done = subprocess.run(
        [PYTHON, "-W", "ignore", worker],
        input=json.dumps(asked),
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def ask(peer: str, series: Sequence[FloatArray]) -> PeerAnswer:
    """`peer`: otava, rbf, pelt or asv; NaN are gaps. Raises FileNotFoundError where the peers are not installed."""
    values = [[None if math.isnan(value) else value for value in one.tolist()] for one in series]
    answer = answer_of(_WORKER, peer=peer, series=values)
    found = [np.array(places, dtype=np.intp) for places in answer["change_points"]]
    return PeerAnswer(str(answer["version"]), float(answer["cpu_seconds"]), found)
