"""Memory: what a full trace of VGG-16 costs while it is looked at, and what the caches hold after twelve networks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT

MEGABYTE = 2**20

# Resident memory, and its peak since it was last reset, as Linux counts them.
_MEMORY = """
import gc, json, sys
def resident():
    gc.collect()
    text = open("/proc/self/status").read()
    return {k: int(text.split(k + ":")[1].split()[0]) * 1024 for k in ("VmRSS", "VmHWM")}
def reset_peak():
    open("/proc/self/clear_refs", "w").write("5")
"""

_VGG = """
import numpy as np
import cnn_core as cc
model = cc.load_model("vgg16", weights="random")
rgb = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
seen = model.preprocess(cc.load_image(__import__("PIL.Image").Image.fromarray(rgb)))
logits = model.module(seen.tensor).numpy()   # what torch itself keeps for the next pass is there before
before = resident()["VmRSS"]
reset_peak()
trace = cc.trace(model, seen)
traced = resident()
looked_at = 0
for operation in model.network.operations:   # every map, opened one after another as a visitor does
    looked_at += float(trace.activation(operation.name).max()) != 0
after = resident()
assert (trace.logits == logits[0]).all()
print(json.dumps({
    "operations": len(model.network.operations), "looked_at": looked_at, "held": trace.nbytes,
    "all": 4 * sum(int(np.prod(o.output_shape)) for o in model.network.operations),
    "resident": traced["VmRSS"] - before, "peak": max(traced["VmHWM"], after["VmHWM"]) - before,
}))
"""

_TWELVE = """
import numpy as np
from ui import cached, pictures
names = sys.argv[1].split(",")
picture = pictures.sample_picture("panda")
start, rows = None, []
for name in names:
    model = cached.classifier(name, "random")
    trace = cached.trace(model, cached.model_input(model, picture))
    trace.top(5)
    del model, trace
    now = resident()["VmRSS"]
    start = now if start is None else start
    rows.append({"network": name, "models": cached._models.nbytes, "traces": cached._traces.nbytes,
                 "small": cached._small.nbytes, "grown": now - start})
print(json.dumps(rows))
"""

TWELVE = (
    "mobilenet_v2", "squeezenet1_1", "resnet18", "resnet34", "resnet50", "googlenet", "densenet121", "efficientnet_b0",
    "mobilenet_v3_large", "shufflenet_v2_x1_0", "regnet_y_400mf", "convnext_tiny",
)  # fmt: skip


def _run(code: str, *arguments: str, **environment: str) -> Any:
    """The last line that a fresh process printed; memory is measured there, where nothing else was loaded before."""
    assert Path("/proc/self/clear_refs").exists(), "Memory is measured by /proc, which only Linux has."
    run = subprocess.run(
        [sys.executable, "-c", _MEMORY + code, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.long
def test_a_full_trace_of_vgg16(say: Callable[[str], None]) -> None:
    found = _run(_VGG)
    assert found["looked_at"] == found["operations"] > 30
    # The bound for everything, the passing peak of the pass and of the maps worked out again included.
    assert found["peak"] <= 200 * 1e6
    assert found["held"] <= 100 * 1e6 < found["all"]
    say(
        f"memory of a full trace of VGG-16 at 224 x 224: {found['held'] / 1e6:.0f} MB held of {found['all'] / 1e6:.0f} "
        f"MB of activations; process grown by {found['resident'] / 1e6:.0f} MB, at most {found['peak'] / 1e6:.0f} MB"
    )


@pytest.mark.long
def test_caches_keep_their_limit_when_twelve_networks_are_opened(say: Callable[[str], None]) -> None:
    limit = 400 * MEGABYTE
    rows = _run(_TWELVE, ",".join(TWELVE), CONVLENS_CACHE_MB="400")
    assert [row["network"] for row in rows] == list(TWELVE)
    for row in rows:
        held = row["models"] + row["traces"] + row["small"]
        assert row["models"] <= 0.5 * limit and row["traces"] <= 0.35 * limit and row["small"] <= 0.15 * limit
        say(
            f"caches of {limit // MEGABYTE} MB, network {rows.index(row) + 1:2} of 12, {row['network']}: "
            f"{held / MEGABYTE:.0f} MB held, process grown by {row['grown'] / MEGABYTE:.0f} MB"
        )
    # All twelve together would not fit: the least recent ones must have gone, from the process too.
    parameters = _run("import cnn_core as cc\nprint(json.dumps({c.key: c.n_parameters for c in cc.list_models()}))")
    assert sum(4 * parameters[name] for name in TWELVE) > 0.5 * limit * 1.5
    # 40 MB over the limit for what torch and its kernels keep of their own: a model that had to go is not kept alive.
    assert max(row["grown"] for row in rows) <= limit + 40 * MEGABYTE
