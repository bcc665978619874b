"""Makes the small image files beside this script, with other people's writers: the readers are tested on them.

    pip install numpy==2.4.6 pillow==13.0.0 pyarrow==26.0.1
    python3 tests/data/images/make.py
"""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

HERE = Path(__file__).parent
rng = np.random.default_rng(7)
expected = {}


def planes(array):
    """(H, W, C) or (H, W) -> [C, H, W] and the bytes channel by channel."""
    array = array[..., None] if array.ndim == 2 else array
    array = np.moveaxis(array, -1, 0)
    return {"shape": list(array.shape), "pixels": array.flatten().tolist()}


def bytes_of(image, **options):
    out = io.BytesIO()
    image.save(out, **options)
    return out.getvalue()


rgb = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
grey = rng.integers(0, 256, (5, 7), dtype=np.uint8)
for name, image in {
    "rgb.png": Image.fromarray(rgb),
    "grey.png": Image.fromarray(grey),
    "palette.png": Image.fromarray(rgb).quantize(11),
    "bits.png": Image.fromarray(grey > 99),
}.items():
    image.save(HERE / name)
    plain = image.convert("RGB") if image.mode == "P" else image.convert("L") if image.mode == "1" else image
    expected[name] = planes(np.asarray(plain))

opaque = np.dstack([rgb, np.full((5, 7), 255, np.uint8)])
Image.fromarray(opaque).save(HERE / "opaque.png")
expected["opaque.png"] = planes(rgb)
opaque[2, 3, 3] = 254
Image.fromarray(opaque).save(HERE / "transparent.png")
Image.fromarray(grey.astype(np.uint16) * 256).save(HERE / "deep.png")

# Smooth pictures with colours at full resolution: decoders may differ by a level or two in rounding, not more.
y, x = np.mgrid[0:16, 0:24]
smooth = np.stack([8 * x + 20, 10 * y + 30, 200 - 4 * x - 3 * y], -1).astype(np.uint8)
for name, picture in {"rgb.jpg": smooth, "grey.jpg": smooth[..., 0]}.items():
    Image.fromarray(picture).save(HERE / name, quality=95, subsampling=0)
    expected[name] = planes(np.asarray(Image.open(HERE / name)))
Image.fromarray(smooth).convert("CMYK").save(HERE / "cmyk.jpg")

data = rng.integers(0, 256, (3, 12), dtype=np.uint8)
np.savez(HERE / "stored.npz", data=data, labels=[3, 1, 2], mean=data.mean(0))
np.savez_compressed(HERE / "packed.npz", data=data, labels=np.array([3, 1, 2], np.int32))
expected["npz"] = {"shape": [3, 2, 2], "pixels": data.flatten().tolist()}
np.savez(HERE / "floats.npz", data=data / 255.0, labels=[3, 1, 2])
np.savez(HERE / "few_labels.npz", data=data, labels=[3, 1])
np.savez(HERE / "no_data.npz", images=data)

pictures = [rng.integers(0, 256, (4, 4, 3), dtype=np.uint8) for _ in range(3)]
encoded = [bytes_of(Image.fromarray(p), format="PNG") for p in pictures]
expected["parquet"] = {"shape": [3, 4, 4], "pixels": sum((planes(p)["pixels"] for p in pictures), [])}
plain = pa.table({"image": pa.array(encoded, pa.binary()), "label": [4, 0, 9]})
pq.write_table(plain, HERE / "plain.parquet", compression="snappy")
structs = [{"bytes": b, "path": f"{i}.png"} for i, b in enumerate(encoded)]
pq.write_table(pa.table({"label": [4, 0, 9], "img": structs}), HERE / "struct.parquet", compression="gzip")
pq.write_table(plain.set_column(0, "image", pa.array(encoded[:2] + [b"oops"])), HERE / "broken.parquet")
pq.write_table(plain.set_column(1, "label", pa.array([4, -1, 9])), HERE / "negative.parquet")

(HERE / "expected.json").write_text(json.dumps(expected) + "\n")
