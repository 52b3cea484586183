// Serves this folder with an exported model and onnxruntime-web: node examples/browser/serve.mjs runs/x/export/model.onnx
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
  ".onnx": "application/octet-stream",
};

/** Starts the server; port 0 takes a free one. */
export async function serveModel(model, port = 0) {
  const ort = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
    const file = fileFor(path, model, ort);
    const found = file && statSync(file, { throwIfNoEntry: false });
    if (!found?.isFile()) return response.writeHead(404).end();
    response.writeHead(200, {
      "content-type": types[extname(file)] ?? "application/octet-stream",
      "content-length": found.size,
    });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

/** Only names that are known: no path leads out. */
function fileFor(path, model, ort) {
  if (path === "/model.onnx") return model;
  const plain = /^\/(?:(ort)\/)?([\w.-]+)$/.exec(path);
  if (path === "/") return join(here, "index.html");
  if (plain === null) return undefined;
  return join(plain[1] === "ort" ? ort : here, plain[2]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [model] = process.argv.slice(2);
  if (model === undefined) {
    console.error("usage: node examples/browser/serve.mjs <model.onnx>");
    process.exit(2);
  }
  console.log((await serveModel(model, 8080)).url);
}
