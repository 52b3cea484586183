// An exported model in the browser: what the file says of itself, and how a picture becomes what it takes.

/** Strings of an onnx.ModelProto's metadata_props (field 14), without its graph. */
export function readMetadata(bytes) {
  const metadata = {};
  for (const { field, value } of fields(bytes)) {
    if (field !== 14) continue;
    const [key, text] = [...fields(value)].map((entry) => new TextDecoder().decode(entry.value));
    metadata[key] = text;
  }
  if (metadata.classes === undefined || metadata.input === undefined) {
    throw new Error("this ONNX file was not written by `thaw export`");
  }
  return { ...metadata, classes: JSON.parse(metadata.classes), input: JSON.parse(metadata.input) };
}

/** A message's fields of bytes. */
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = bytes[at++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    if ((tag & 7) === 0) {
      varint();
      continue;
    }
    if ((tag & 7) !== 2) throw new Error("this is no ONNX file");
    const length = varint();
    if (at + length > bytes.length) throw new Error("the ONNX file is cut short");
    yield { field: tag >> 3, value: bytes.subarray(at, at + length) };
    at += length;
  }
}

/** What of a picture the model sees: its middle, as large as `cropPct` of the shorter side. */
export function sourceBox(width, height, { width: w, height: h, cropPct = 1 }) {
  const shorter = Math.floor(Math.min(w, h) / cropPct);
  const scale = Math.min(width, height) / shorter;
  const [across, down] = [Math.min(width, w * scale), Math.min(height, h * scale)];
  return { left: (width - across) / 2, top: (height - down) / 2, width: across, height: down };
}

/** RGBA of the model's size, or of any where it resizes itself → its input. Grey images are Pillow's L. */
export function toInput(rgba, [width, height], { takes, input }) {
  const { channels, mean, std } = input;
  const pixels = width * height;
  const value = (i, c) => {
    if (channels === 3) return rgba[4 * i + c];
    return (rgba[4 * i] * 19595 + rgba[4 * i + 1] * 38470 + rgba[4 * i + 2] * 7471 + 0x8000) >> 16;
  };
  if (takes !== "normalised") {
    const data = Uint8Array.from({ length: pixels * channels }, (_, j) =>
      value(Math.floor(j / channels), j % channels),
    );
    return { type: "uint8", data, shape: [1, height, width, channels] };
  }
  const data = Float32Array.from({ length: pixels * channels }, (_, j) => {
    const c = Math.floor(j / pixels);
    return (value(j % pixels, c) / 255 - mean[c]) / std[c];
  });
  return { type: "float32", data, shape: [1, channels, height, width] };
}

/** The likeliest classes first. */
export function likeliest(values, { classes, gives }, count = 5) {
  const largest = Math.max(...values);
  const weights = gives === "logits" ? values.map((v) => Math.exp(v - largest)) : values;
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return classes
    .map((label, i) => ({ label, probability: weights[i] / sum }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, count);
}
