"""Judge pictures with an exported bundle, by ONNX Runtime and OpenCV alone: python judge_onnx.py MODEL PICTURE ..."""

import json
import sys

import cv2
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
facts = json.loads(session.get_modelmeta().custom_metadata_map["linewarden"])
(height, width), spec = facts["input_size"], facts["picture"]
for name in sys.argv[2:]:
    read = cv2.IMREAD_GRAYSCALE if spec["channels"] == 1 else cv2.IMREAD_COLOR_RGB
    picture = cv2.imread(name, read | cv2.IMREAD_IGNORE_ORIENTATION)  # 8 bits
    ranges = (facts["native_height"], facts["native_width"])
    if picture is None or not all(low <= n <= high for n, (low, high) in zip(picture.shape[:2], ranges, strict=True)):
        print(name, "divert: not decidable (no picture of a size that this file judges)")
        continue
    native = picture.shape[:2]
    inner = (height, width) if spec["pad"] == "stretch" else [max(1, round(side * spec["scale"])) for side in native]
    how = cv2.INTER_AREA if inner[0] * inner[1] < native[0] * native[1] else cv2.INTER_LINEAR
    scaled = cv2.resize(picture, (inner[1], inner[0]), interpolation=how)
    scaled = cv2.copyMakeBorder(scaled, 0, height - inner[0], 0, width - inner[1], cv2.BORDER_REPLICATE)
    pixels = scaled.reshape(1, height, width, -1).transpose(0, 3, 1, 2).astype(np.float32)  # grey levels 0 to 255
    shown = {"pictures": pixels, "native_size": np.array([native], np.int64)}
    margin, suspicion, undecidable = (float(one[0]) for one in session.run(None, shown)[:3])
    if undecidable != 0:
        print(name, f"divert: not decidable ({facts['undecidable'][str(int(undecidable))]})")
    elif not margin <= facts["reject_above_margin"]:
        print(name, f"reject: margin {margin:.3f}")
    elif not suspicion < facts["divert_from_suspicion"]:
        print(name, f"divert: low trust, suspicion {suspicion:.3f}")
    else:
        print(name, f"pass: margin {margin:.3f}, suspicion {suspicion:.3f}")
