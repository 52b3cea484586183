"""What TensorBoard's PyTorch profiler plugin reads of a trace of ours: its steps, its operators, their own times.

    THAW_TRACE_OUT=/tmp/trace npx vitest run src/profile/trace.test.ts
    python test/oracle/tensorboard_profile.py /tmp/trace

`sha256` is the file's; `stepMicroseconds` a step's whole time; of an operator `microseconds` is all of its calls together,
`self` the same without the operators inside.
"""
import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path

from torch_tb_profiler.consts import WORKER_PATTERN
from torch_tb_profiler.profiler.data import RunProfileData

root = Path(__file__).resolve().parents[2]
(path,) = [p for p in Path(sys.argv[1]).iterdir() if WORKER_PATTERN.match(p.name)]
profile = RunProfileData.parse("model", None, str(path), "/tmp")
said = {
    "about": {
        "command": "python test/oracle/tensorboard_profile.py",
        "torch-tb-profiler": version("torch-tb-profiler"),
    },
    "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    "steps": profile.steps_names,
    "stepMicroseconds": [round(sum(cost.costs[:-1]), 6) for cost in profile.steps_costs],
    "operators": [
        {
            "name": op.name,
            "calls": op.calls,
            "microseconds": round(op.host_duration, 6),
            "self": round(op.self_host_duration, 6),
        }
        for op in profile.op_list_groupby_name
    ],
}
print(json.dumps(said, indent=1))
fixture = root / "test/fixtures/tensorboard-profile.json"
fixture.write_text(json.dumps(said, indent=1) + "\n")
