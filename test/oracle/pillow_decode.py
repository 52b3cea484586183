"""Writes test/fixtures/images/: small awkward images made here, and what Pillow makes of them and of a folder of others.

    /usr/bin/python3 test/oracle/pillow_decode.py [folder of nasty-images]

decode.json has, for every file, `size` [width, height], `mode`, `mean` of all bytes and `samples`: the bytes of the RGB
picture at 48 places spread evenly (place i is byte floor((i + 0.5) * length / 48)); or `error`, the exception's name.
The picture is upright (EXIF), 16 bits are cut to their upper 8, transparency lies on white.
"""

import io
import json
import pathlib
import sys
import warnings

import numpy as np
import PIL
from PIL import Image, ImageOps

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = REPOSITORY / "test" / "fixtures" / "images"
MAX_PIXELS = 89_478_485


def upright_rgb(data: bytes) -> tuple[str, np.ndarray]:
    image = Image.open(io.BytesIO(data))
    if image.width * image.height > MAX_PIXELS:
        raise Image.DecompressionBombError()
    mode = image.mode
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        # Pillow's own conversion clips at 255.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return mode, np.asarray(image.convert("RGB"))


def describe(data: bytes) -> dict:
    try:
        mode, pixels = upright_rgb(data)
    except Exception as error:  # noqa: BLE001
        return {"error": type(error).__name__}
    flat = pixels.reshape(-1)
    places = [int((i + 0.5) * flat.size / 48) for i in range(48)]
    return {
        "size": [pixels.shape[1], pixels.shape[0]],
        "mode": mode,
        "mean": round(float(flat.mean()), 3),
        "samples": [int(flat[place]) for place in places],
    }


def picture(width: int = 37, height: int = 23) -> np.ndarray:
    """Smooth with an edge, so that rounding, chroma and orientation all show."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = 255 * x / (width - 1)
    green = 255 * y / (height - 1)
    blue = 127 + 120 * np.sin(x / 3) * np.cos(y / 4)
    rgb = np.stack([red, green, blue], 2)
    rgb[4:9, 5:20] = [250, 10, 30]
    return np.round(rgb).astype(np.uint8)


def encoded(image: Image.Image, format: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def made() -> dict[str, bytes]:
    rgb = Image.fromarray(picture())
    alpha = np.linspace(0, 255, 37 * 23).reshape(23, 37).round().astype(np.uint8)
    rgba = np.dstack([picture(), alpha])
    deep = (np.asarray(rgb.convert("L")).astype(np.uint16) << 8) + 77
    files = {
        "plain.jpg": encoded(rgb, "JPEG", quality=90),
        "444.jpg": encoded(rgb, "JPEG", quality=95, subsampling=0),
        "progressive.jpg": encoded(rgb, "JPEG", progressive=True),
        "grey.jpg": encoded(rgb.convert("L"), "JPEG"),
        "cmyk.jpg": encoded(rgb.convert("CMYK"), "JPEG"),
        "grey.png": encoded(rgb.convert("L"), "PNG"),
        "rgba.png": encoded(Image.fromarray(rgba), "PNG"),
        "grey-alpha.png": encoded(Image.fromarray(rgba).convert("LA"), "PNG"),
        "palette.png": encoded(rgb.quantize(16), "PNG"),
        "palette-alpha.png": encoded(rgb.quantize(16), "PNG", transparency=3),
        "one-bit.png": encoded(rgb.convert("1"), "PNG"),
        "grey-16.png": encoded(Image.fromarray(deep), "PNG"),
        "frames.gif": encoded(rgb, "GIF", save_all=True, append_images=[rgb.rotate(180)]),
        "lossless.webp": encoded(Image.fromarray(rgba), "WEBP", lossless=True),
        "exif-6.webp": encoded(rgb, "WEBP", lossless=True, exif=exif(6)),
        "exif-8.png": encoded(rgb, "PNG", exif=exif(8)),
    }
    for orientation in range(2, 9):
        files[f"exif-{orientation}.jpg"] = encoded(rgb, "JPEG", exif=exif(orientation))
    whole = files["plain.jpg"]
    files["cut.jpg"] = whole[: len(whole) * 2 // 3]
    files["cut.png"] = files["grey.png"][:120]
    files["wrong-name.png"] = whole
    files["picture.bmp"] = encoded(Image.fromarray(picture(8, 6)), "BMP")
    files["text.jpg"] = b"this is not a picture\n"
    files["empty.jpg"] = b""
    return files


def main() -> None:
    warnings.simplefilter("ignore")
    FIXTURES.mkdir(parents=True, exist_ok=True)
    own = {}
    for name, data in made().items():
        (FIXTURES / name).write_bytes(data)
        own[name] = describe(data)
    path = FIXTURES / "decode.json"
    nasty = json.loads(path.read_text())["nasty"] if path.exists() else {}
    if len(sys.argv) > 1:
        folder = pathlib.Path(sys.argv[1])
        files = sorted(f for f in folder.rglob("*") if f.is_file() and f.name != "index.csv")
        nasty = {str(file.relative_to(folder)): describe(file.read_bytes()) for file in files}
    about = {"command": "/usr/bin/python3 test/oracle/pillow_decode.py", "pillow": PIL.__version__}
    lines = ['{"about": ' + json.dumps(about)]
    for group, entries in {"own": own, "nasty": nasty}.items():
        rows = [f" {json.dumps(k, ensure_ascii=False)}: {json.dumps(v, separators=(',', ':'))}" for k, v in entries.items()]
        lines.append(f'"{group}": {{\n' + ",\n".join(rows) + "\n}")
    path.write_text(",\n".join(lines) + "}\n")
    print(f"{path.relative_to(REPOSITORY)}: {path.stat().st_size:,} bytes")


main()
