// Serves this folder with an exported model and onnxruntime-web: node examples/browser/serve.mjs runs/x/export/model.onnx
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { pipeline } from "node:stream/promises";
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
    // A client that goes away in the middle is no error of the server's.
    answer(request, response, fileFor(request.url ?? "", model, ort)).catch(() => {
      response.destroy();
    });
  });
  // A browser has a few connections; whoever holds more, or holds them silently, keeps out nobody else.
  server.maxConnections = 64;
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  server.setTimeout(60_000);
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

// Nobody waits for a pipe, and a link in a folder may lead out of it; the model may be one.
const plainFile = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
const noLink = plainFile | (constants.O_NOFOLLOW ?? 0);

async function answer(request, response, { path, flags } = {}) {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD", connection: "close" }).end();
    return;
  }
  const file = path === undefined ? undefined : await open(path, flags).catch(() => undefined);
  try {
    const found = await file?.stat();
    if (!found?.isFile()) {
      response.writeHead(404, { "content-type": "text/plain" }).end("not found\n");
      return;
    }
    response.writeHead(200, {
      "content-type": types[extname(path)] ?? "application/octet-stream",
      "content-length": found.size,
      "x-content-type-options": "nosniff",
    });
    if (request.method === "HEAD" || found.size === 0) response.end();
    // Of the size that was announced, though the file may grow; the pipeline ends where the client leaves.
    else await pipeline(file.createReadStream({ end: found.size - 1, autoClose: false }), response);
  } finally {
    await file?.close();
  }
}

/** Only names that are known: no path leads out. */
function fileFor(url, model, ort) {
  const path = url.replace(/[?#].*/s, "");
  if (path === "/model.onnx") return { path: model, flags: plainFile };
  const plain = /^\/(?:(ort)\/)?([\w-][\w.-]{0,99})$/.exec(path === "/" ? "/index.html" : path);
  return plain === null
    ? undefined
    : { path: join(plain[1] === "ort" ? ort : here, plain[2]), flags: noLink };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [model, port = "8080"] = process.argv.slice(2);
  if (model === undefined || !/^\d{1,5}$/.test(port)) {
    console.error("usage: node examples/browser/serve.mjs <model.onnx> [port]");
    process.exit(2);
  }
  console.log((await serveModel(model, Number(port))).url);
}
