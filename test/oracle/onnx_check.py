"""What onnx's own checker says of exported graphs, with strict shape inference.

    THAW_ONNX_OUT=/tmp/onnx npx vitest run src/export/checker.test.ts
    python test/oracle/onnx_check.py /tmp/onnx
"""
import json
import sys
from pathlib import Path

import onnx

root = Path(__file__).resolve().parents[2]
files = {}
for path in sorted(Path(sys.argv[1]).glob("*.onnx")):
    model = onnx.load(path)
    digest = next(p.value for p in model.metadata_props if p.key == "digest")
    try:
        onnx.checker.check_model(model, full_check=True)
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        own = [o.type.tensor_type.shape.dim[-1].dim_value for o in inferred.graph.output]
        said = "ok" if own == [7] else f"outputs of {own}"
    except Exception as error:  # noqa: BLE001
        said = str(error).splitlines()[0]
    files[path.stem] = {"digest": digest, "said": said}
    print(path.stem, said)
(root / "test/fixtures/onnx-check.json").write_text(
    json.dumps({"onnx": onnx.__version__, "files": files}, indent=1) + "\n"
)
