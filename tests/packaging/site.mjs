/** A plain web server for a folder, as strict about types as the ones out there. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

export class Site {
  #server;
  origin;
  /** Paths that were asked for and are not there. */
  missing = [];

  /**
   * Serves `folder`.
   *
   * @param headers - sent with every answer.
   * @param answer - gives `{ status, type, body }` for a path that is to be answered in another way.
   */
  static async start(folder, { headers = {}, answer = () => undefined } = {}) {
    const site = new Site();
    site.#server = createServer(async (request, response) => {
      const { pathname } = new URL(request.url, "http://localhost");
      const { status, type, body } = answer(pathname) ?? (await site.#file(folder, pathname));
      response.writeHead(status, { "content-type": type, ...headers }).end(body);
    });
    await new Promise((resolve) => site.#server.listen(0, "127.0.0.1", resolve));
    site.origin = `http://127.0.0.1:${site.#server.address().port}`;
    return site;
  }

  async #file(folder, pathname) {
    const path = join(folder, normalize(pathname.endsWith("/") ? `${pathname}index.html` : pathname));
    try {
      return { status: 200, type: TYPES[extname(path)] ?? "application/octet-stream", body: await readFile(path) };
    } catch {
      if (pathname !== "/favicon.ico") this.missing.push(pathname);
      return { status: 404, type: "text/plain", body: "not here" };
    }
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
