"""Writes test/fixtures/images/formats/: small TIFF, BMP and Netpbm images of every kind, and what Pillow makes of them.

    /usr/bin/python3 test/oracle/pillow_formats.py

formats.json has, for every file, `size` [width, height], `mode` and `pixels`: the bytes of the RGB picture, in base64; or
`error`, the exception's name. The picture is upright, 16 bits are cut to their upper 8, transparency lies on white. Pillow
writes what it can write; the rest is put together here byte by byte, from the formats' specifications.
"""

import base64
import io
import json
import pathlib
import struct
import warnings

import numpy as np
import PIL
from PIL import Image, ImageOps

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "test" / "fixtures" / "images" / "formats"
WIDTH, HEIGHT = 13, 7


def upright_rgb(data: bytes) -> tuple[str, np.ndarray]:
    image = Image.open(io.BytesIO(data))
    mode = image.mode
    image.load()
    # A TIFF is turned as it is loaded.
    image = image.copy() if image.format == "TIFF" else ImageOps.exif_transpose(image)
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
    return {
        "size": [pixels.shape[1], pixels.shape[0]],
        "mode": mode,
        "pixels": base64.b64encode(pixels.tobytes()).decode(),
    }


def picture() -> np.ndarray:
    """uint8 [HEIGHT, WIDTH, 3]: a gradient with an edge."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    rgb = np.stack([255 * x / (WIDTH - 1), 255 * y / (HEIGHT - 1), 127 + 120 * np.sin(x / 2) * np.cos(y)], 2)
    rgb[2:4, 3:8] = [250, 10, 30]
    return np.round(rgb).astype(np.uint8)


def encoded(image: Image.Image, format: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def tiff(planes: list[bytes], tags: dict[int, tuple[str, list[int]]], order: str = "<", pages: int = 1) -> bytes:
    """A TIFF of the strips (or tiles) `planes`; `tags` are by number, each a struct letter and values."""
    offsets = []
    body = b""
    for strip in planes:
        offsets.append(8 + len(body))
        body += strip + b"\0" * (len(strip) % 2)
    tiled = 322 in tags
    entries = {
        256: ("H", [WIDTH]),
        257: ("H", [HEIGHT]),
        259: ("H", [1]),
        (324 if tiled else 273): ("I", offsets),
        (325 if tiled else 279): ("I", [len(strip) for strip in planes]),
        **({} if tiled else {278: ("H", [HEIGHT])}),
        **tags,
    }
    types = {"B": 1, "H": 3, "I": 4, "h": 8}
    at = 8 + len(body)
    out = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, at) + body
    for page in range(pages):
        directory = struct.pack(order + "H", len(entries))
        extra = b""
        end = at + 2 + 12 * len(entries) + 4
        for tag, (letter, values) in sorted(entries.items()):
            packed = struct.pack(order + letter * len(values), *values)
            directory += struct.pack(order + "HHI", tag, types[letter], len(values))
            if len(packed) <= 4:
                directory += packed.ljust(4, b"\0")
            else:
                directory += struct.pack(order + "I", end + len(extra))
                extra += packed + b"\0" * (len(packed) % 2)
        following = end + len(extra) if page + 1 < pages else 0
        out += directory + struct.pack(order + "I", following) + extra
        at = following
    return out


def samples(bits: int, count: int = 1, format: int | None = None, **more) -> dict:
    tags = {258: ("H", [bits] * count), 262: ("H", [2 if count >= 3 else 1]), 277: ("H", [count])}
    if format is not None:
        tags[339] = ("H", [format] * count)
    return {**tags, **{int(key[1:]): value for key, value in more.items()}}


def made_tiff() -> dict[str, bytes]:
    rgb = picture()
    image = Image.fromarray(rgb)
    grey = np.asarray(image.convert("L"))
    alpha = np.linspace(0, 255, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).round().astype(np.uint8)
    rgba = np.dstack([rgb, alpha])
    deep = (grey.astype(np.uint16) << 8) + 77
    deep_rgb = (rgb.astype(np.uint16) << 8) + 33
    twelve = (grey.astype(np.uint16) << 4) + 5
    bits = np.packbits(grey > 127, axis=1)
    tile = np.zeros((16, 16, 3), np.uint8)
    tile[:HEIGHT, :WIDTH] = rgb
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {
        "rgb.tif": encoded(image, "TIFF"),
        "grey.tif": encoded(Image.fromarray(grey), "TIFF"),
        "palette.tif": encoded(image.quantize(16), "TIFF"),
        "one-bit.tif": encoded(image.convert("1"), "TIFF"),
        "cmyk.tif": encoded(image.convert("CMYK"), "TIFF"),
        "rgba.tif": encoded(Image.fromarray(rgba), "TIFF"),
        "grey-alpha.tif": encoded(Image.fromarray(rgba).convert("LA"), "TIFF"),
        "lzw.tif": encoded(image, "TIFF", compression="tiff_lzw"),
        "deflate.tif": encoded(image, "TIFF", compression="tiff_adobe_deflate"),
        "packbits.tif": encoded(image, "TIFF", compression="packbits"),
        "group4.tif": encoded(image.convert("1"), "TIFF", compression="group4"),
        "jpeg-within.tif": encoded(image, "TIFF", compression="jpeg", quality=95),
        "grey-16.tif": encoded(Image.fromarray(deep), "TIFF"),
        "grey-16-lzw.tif": encoded(Image.fromarray(deep), "TIFF", compression="tiff_lzw"),
        "two-pages.tif": encoded(image, "TIFF", save_all=True, append_images=[image.rotate(180)]),
        "orientation-6.tif": encoded(image, "TIFF", exif=exif),
        "big-endian.tif": tiff([rgb.tobytes()], samples(8, 3), ">"),
        "grey-16-big-endian.tif": tiff([deep.astype(">u2").tobytes()], samples(16), ">"),
        "rgb-16.tif": tiff([deep_rgb.astype("<u2").tobytes()], samples(16, 3)),
        "white-is-zero.tif": tiff([(255 - grey).tobytes()], {**samples(8), 262: ("H", [0])}),
        "white-is-zero-one-bit.tif": tiff([np.invert(bits).tobytes()], {**samples(1), 262: ("H", [0])}),
        "four-bits.tif": tiff(
            [b"".join(bytes((a >> 4 << 4) | (b >> 4) for a, b in zip(row[::2], [*row[1::2], 0])) for row in grey.tolist())],
            samples(4),
        ),
        "planar.tif": tiff(
            [rgb[:, :, c].tobytes() for c in range(3)], {**samples(8, 3), 284: ("H", [2])}
        ),
        "tiled.tif": tiff(
            [tile.tobytes()], {**samples(8, 3), 322: ("H", [16]), 323: ("H", [16])}
        ),
        "strips.tif": tiff(
            [rgb[row : row + 2].tobytes() for row in range(0, HEIGHT, 2)], {**samples(8, 3), 278: ("H", [2])}
        ),
        "associated-alpha.tif": tiff(
            [np.dstack([(rgb.astype(int) * alpha[:, :, None] // 255).astype(np.uint8), alpha]).tobytes()],
            {**samples(8, 4), 338: ("H", [1])},
        ),
        # What says how many of its bits are used, and what does not.
        "twelve-of-16.tif": tiff([twelve.astype("<u2").tobytes()], samples(16)),
        "twelve-of-16-said.tif": tiff([twelve.astype("<u2").tobytes()], samples(16, t281=("H", [4095]))),
        "twelve-of-16-said-by-341.tif": tiff([twelve.astype("<u2").tobytes()], samples(16, t341=("H", [4095]))),
        "brightest-said.tif": tiff([twelve.astype("<u2").tobytes()], samples(16, t281=("H", [int(twelve.max())]))),
        # What has no range of its own.
        "signed-16.tif": tiff([(deep.astype(np.int32) - 32768).astype("<i2").tobytes()], samples(16, 1, 2)),
        "float.tif": tiff([(grey / 255).astype("<f4").tobytes()], samples(32, 1, 3)),
        "float-rgb.tif": tiff([(rgb / 255).astype("<f4").tobytes()], samples(32, 3, 3)),
        "grey-32.tif": tiff([(grey.astype(np.uint32) * 1000).astype("<u4").tobytes()], samples(32)),
        "many-pages.tif": tiff([grey.tobytes()], samples(8), pages=40),
    }
    whole = files["lzw.tif"]
    files["cut.tif"] = whole[: len(whole) // 2]
    # Two directories that lead to each other.
    loop = bytearray(tiff([grey.tobytes()], samples(8), pages=2))
    first = struct.unpack("<I", loop[4:8])[0]
    loop[-4:] = struct.pack("<I", first)
    files["loop.tif"] = bytes(loop)
    files["huge.tif"] = tiff([grey.tobytes()], {**samples(8), 256: ("I", [60000]), 257: ("I", [60000])})
    files["twelve-bits.tif"] = tiff([bytes(HEIGHT * 20)], samples(12))
    return files


def bmp(bits: int, body: bytes, *, palette: bytes = b"", compression: int = 0, height: int = HEIGHT, masks=(), header: int = 40) -> bytes:
    info = struct.pack("<IiiHHIIiiII", header, WIDTH, height, 1, bits, compression, len(body), 2835, 2835, len(palette) // 4, 0)
    info += b"".join(struct.pack("<I", mask) for mask in masks)
    if header > 40:
        info = info.ljust(header, b"\0")
    offset = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + info + palette + body


def rows(values: np.ndarray) -> bytes:
    """Bottom-up, each row filled up to four bytes."""
    data = [row.tobytes() for row in values[::-1]]
    return b"".join(row + b"\0" * (-len(row) % 4) for row in data)


def made_bmp() -> dict[str, bytes]:
    rgb = picture()
    image = Image.fromarray(rgb)
    grey = np.asarray(image.convert("L"))
    bgr = rgb[:, :, ::-1].copy()
    palette = b"".join(bytes((17 * i, 255 - 16 * i, 8 * i, 0)) for i in range(16))
    nibbles = grey >> 4
    packed = np.zeros((HEIGHT, (WIDTH + 1) // 2), np.uint8)
    packed |= nibbles[:, ::2] << 4
    packed[:, : WIDTH // 2] |= nibbles[:, 1::2]
    r, g, b = (rgb[:, :, c].astype(np.uint16) for c in range(3))
    alpha = np.linspace(0, 255, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).round().astype(np.uint8)
    bgra = np.dstack([bgr, alpha])
    core = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, 24)
    body = rows(bgr)
    runs8 = b"".join(
        b"".join(bytes((1, int(value))) for value in row) + b"\0\0" for row in nibbles[::-1]
    ) + b"\0\1"
    # Runs, absolute parts of odd and even length, and a run that is too long for its row. No leap: Pillow 9.4 reads four
    # bytes where it has two, and of an absolute part of odd length in four bits it leaves the last pixel out.
    tricky8 = bytes((5, 3, 0, 3, 1, 2, 7, 0, 0, 0, 4, 9, 0, 4, 5, 6, 7, 8, 0, 0, WIDTH + 4, 8, 0, 0))
    tricky8 += bytes((3, 15, 0, 0)) + bytes((WIDTH, 5, 0, 0)) + bytes((WIDTH, 1, 0, 0)) + bytes((WIDTH, 2, 0, 1))
    runs4 = b"".join(bytes((5, 0x3A, 0, 4, 0x12, 0x34, 4, 0x9C + row, 0, 0)) for row in range(HEIGHT)) + b"\0\1"
    early8 = bytes((WIDTH, 3, 0, 0, 4, 2, 0, 1))
    files = {
        "24.bmp": encoded(image, "BMP"),
        "palette.bmp": encoded(image.quantize(16), "BMP"),
        "grey.bmp": encoded(Image.fromarray(grey), "BMP"),
        "one-bit.bmp": encoded(image.convert("1"), "BMP"),
        "one-bit-colours.bmp": bmp(1, rows(np.packbits(grey > 127, axis=1)), palette=bytes((9, 8, 200, 0, 90, 250, 4, 0))),
        "four-bits.bmp": bmp(4, rows(packed), palette=palette),
        "32.bmp": bmp(32, rows(bgra)),
        "32-masks.bmp": bmp(32, rows(bgra), compression=3, masks=(0xFF0000, 0xFF00, 0xFF)),
        "32-alpha.bmp": bmp(32, rows(bgra), compression=3, masks=(0xFF0000, 0xFF00, 0xFF, 0xFF000000), header=108),
        "32-alpha-v5.bmp": bmp(32, rows(bgra), compression=3, masks=(0xFF0000, 0xFF00, 0xFF, 0xFF000000), header=124),
        "555.bmp": bmp(16, rows((r >> 3 << 10) | (g >> 3 << 5) | (b >> 3))),
        "565.bmp": bmp(16, rows((r >> 3 << 11) | (g >> 2 << 5) | (b >> 3)), compression=3, masks=(0xF800, 0x7E0, 0x1F)),
        "top-down.bmp": bmp(24, rows(bgr[::-1]), height=-HEIGHT),
        "core.bmp": b"BM" + struct.pack("<IHHI", 26 + len(body), 0, 0, 26) + core + body,
        "rle8.bmp": bmp(8, runs8, palette=palette, compression=1),
        "rle8-tricky.bmp": bmp(8, tricky8, palette=palette, compression=1),
        "rle8-early-end.bmp": bmp(8, early8, palette=palette, compression=1),
        "rle4.bmp": bmp(4, runs4, palette=palette, compression=2),
    }
    files["cut.bmp"] = files["24.bmp"][:-40]
    files["rle8-cut.bmp"] = files["rle8.bmp"][:-60]
    files["huge.bmp"] = bmp(24, b"\0" * 64).replace(struct.pack("<ii", WIDTH, HEIGHT), struct.pack("<ii", 60000, 60000))
    files["odd-bits.bmp"] = bmp(24, body).replace(struct.pack("<HH", 1, 24), struct.pack("<HH", 1, 17))
    return files


def made_netpbm() -> dict[str, bytes]:
    rgb = picture()
    grey = np.asarray(Image.fromarray(rgb).convert("L"))
    size = b"%d %d\n" % (WIDTH, HEIGHT)

    def plain(values: np.ndarray) -> bytes:
        return b"\n".join(b" ".join(b"%d" % value for value in row) for row in values.reshape(HEIGHT, -1).tolist()) + b"\n"

    bits = (grey < 128).astype(np.uint8)
    hundred = (grey.astype(np.uint16) * 100 // 255).astype(np.uint8)
    twelve = (grey.astype(np.uint16) << 4) + 5
    deep = (grey.astype(np.uint16) << 8) + 77
    deep_rgb = (rgb.astype(np.uint16) << 8) + 33
    files = {
        "p1.pbm": b"P1\n# a comment\n" + size + plain(bits),
        "p1-dense.pbm": b"P1 " + size + b"\n".join(b"".join(b"%d" % v for v in row) for row in bits.tolist()),
        "p2.pgm": b"P2\n" + size + b"255\n" + plain(grey),
        "p2-hundred.pgm": b"P2\n" + size + b"100\n" + plain(hundred),
        "p3.ppm": b"P3\n" + size + b"# of colours\n255\n" + plain(rgb),
        "p4.pbm": b"P4\n" + size + np.packbits(bits, axis=1).tobytes(),
        "p5.pgm": b"P5\n# made by hand\n" + size + b"255\n" + grey.tobytes(),
        "p5-hundred.pgm": b"P5 " + size + b"100\n" + hundred.tobytes(),
        "p5-16.pgm": b"P5\n" + size + b"65535\n" + deep.astype(">u2").tobytes(),
        "p5-twelve.pgm": b"P5\n" + size + b"4095\n" + twelve.astype(">u2").tobytes(),
        "p6.ppm": b"P6\n" + size + b"255\n" + rgb.tobytes(),
        "p6-16.ppm": b"P6\n" + size + b"65535\n" + deep_rgb.astype(">u2").tobytes(),
    }
    files["cut.ppm"] = files["p6.ppm"][:-30]
    files["cut-plain.pgm"] = files["p2.pgm"][:-80]
    files["over.pgm"] = b"P2\n" + size + b"100\n" + plain(grey)
    files["huge.ppm"] = b"P6\n60000 60000\n255\n" + bytes(64)
    files["no-size.ppm"] = b"P6\nsix by seven\n255\n" + bytes(64)
    return files


def main() -> None:
    warnings.simplefilter("ignore")
    FIXTURES.mkdir(parents=True, exist_ok=True)
    files = {**made_tiff(), **made_bmp(), **made_netpbm()}
    for name, data in files.items():
        (FIXTURES / name).write_bytes(data)
    about = {"command": "/usr/bin/python3 test/oracle/pillow_formats.py", "pillow": PIL.__version__}
    lines = [f"{json.dumps(name)}: {json.dumps(describe(data), separators=(',', ':'))}" for name, data in files.items()]
    text = '{"about": ' + json.dumps(about) + ',\n"files": {\n' + ",\n".join(lines) + "\n}}\n"
    (FIXTURES / "formats.json").write_text(text)
    print(f"{len(files)} files, {sum(len(data) for data in files.values()) + len(text):,} bytes")


main()
