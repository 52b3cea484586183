/** Serves the example with a model file; port 0 takes a free one. */
export function serveModel(
  model: string,
  port?: number,
): Promise<{ readonly url: string; close(): void }>;
