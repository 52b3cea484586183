import { likeliest, readMetadata, sourceBox, toInput } from "./classify.js";
import * as ort from "./ort/ort.wasm.bundle.min.mjs";

const element = (id) => document.getElementById(id);
ort.env.wasm.wasmPaths = new URL("ort/", import.meta.url).href;
ort.env.wasm.numThreads = 1;

try {
  const bytes = new Uint8Array(await (await fetch("model.onnx")).arrayBuffer());
  const metadata = readMetadata(bytes);
  const session = await ort.InferenceSession.create(bytes);
  element("status").textContent = `${metadata.model}, ${metadata.classes.length} classes`;
  const show = (file) =>
    classify(file, session, metadata).catch((error) => {
      element("status").textContent = error.message;
    });
  element("file").addEventListener(
    "change",
    ({ target }) => target.files[0] && show(target.files[0]),
  );
  const drop = element("drop");
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files[0]) show(event.dataTransfer.files[0]);
  });
  document.body.dataset.ready = "yes";
} catch (error) {
  element("status").textContent = error.message;
  document.body.dataset.ready = "no";
}

async function classify(file, session, metadata) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name}: this is no picture that the browser reads`);
  });
  // A file that resizes itself takes the picture as it is: no browser's own way of resizing is in the answer.
  const isWhole = metadata.takes === "pictures";
  const { width, height } = isWhole ? bitmap : metadata.input;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  const box = isWhole
    ? { left: 0, top: 0, width, height }
    : sourceBox(bitmap.width, bitmap.height, metadata.input);
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, box.left, box.top, box.width, box.height, 0, 0, width, height);
  const { data: rgba } = context.getImageData(0, 0, width, height);
  const { type, data, shape } = toInput(rgba, [width, height], metadata);
  const answers = await session.run({ [session.inputNames[0]]: new ort.Tensor(type, data, shape) });
  const values = Array.from(answers[session.outputNames[0]].data);
  const rows = likeliest(values, metadata).map(({ label, probability }) => {
    const row = document.createElement("tr");
    const [name, share] = [document.createElement("td"), document.createElement("td")];
    // Names of classes come from a file: text, never markup.
    name.textContent = label;
    share.textContent = `${(100 * probability).toFixed(2)} %`;
    row.append(name, share);
    return row;
  });
  element("answer").replaceChildren(...rows);
  const picture = element("picture");
  if (picture.src) URL.revokeObjectURL(picture.src);
  picture.src = URL.createObjectURL(file);
  picture.hidden = false;
}
