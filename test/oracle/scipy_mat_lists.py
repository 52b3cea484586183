"""MAT-files as Stanford Dogs' lists are, small: test/fixtures/mat/. scipy 1.10.1 (Debian's python3-scipy).

    /usr/bin/python3 test/oracle/scipy_mat_lists.py
"""

import json
import pathlib

import numpy as np
import scipy.io

out = pathlib.Path(__file__).parents[1] / "fixtures" / "mat"
out.mkdir(parents=True, exist_ok=True)

train = [f"n02085620-Chihuahua/n02085620_{i}.jpg" for i in (5927, 4441, 1502)]
test = ["n02085620-Chihuahua/n02085620_2650.jpg", "n02088364-beagle/n02088364_1.jpg", "a.jpg", "é/雪.jpg", "ab"]


def cells(texts):
    array = np.empty((len(texts), 1), dtype=object)
    array[:, 0] = texts
    return array


def write(name, texts, compressed):
    lists = {
        # As the official files have them; the wanted one is not the first.
        "annotation_list": cells([text.removesuffix(".jpg") for text in texts]),
        "file_list": cells(texts),
        "labels": np.arange(len(texts), dtype=np.float64).reshape(-1, 1),
    }
    path = out / name
    scipy.io.savemat(path, lists, do_compression=compressed)
    # The first 116 bytes are text with the time of day, which would change the fixture.
    content = bytearray(path.read_bytes())
    content[:116] = b"MATLAB 5.0 MAT-file, a fixture of Thaw".ljust(116)
    path.write_bytes(content)
    read = scipy.io.loadmat(path)["file_list"]
    assert [str(cell[0][0]) for cell in read] == texts


write("train_list.mat", train, compressed=True)
write("test_list.mat", test, compressed=False)
(out / "expected.json").write_text(json.dumps({"train": train, "test": test}, ensure_ascii=False) + "\n")
