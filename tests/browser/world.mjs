/** Everything that one test needs, started for it and gone after it: server, network, browser. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Chromium } from "./chromium.mjs";
import { DEMO } from "./products.mjs";
import { Proxy } from "./proxy.mjs";
import { Server } from "./server.mjs";

/**
 * @param test - the test's context, or whatever has an `after`.
 * @param www - the page that the server serves; the demo if left out. A function gets the temporary folder.
 */
export async function world(test, { www = DEMO, browser: options } = {}) {
  const directory = await mkdtemp(join(tmpdir(), "landfall-"));
  const parts = [];
  test.after(async () => {
    for (const part of parts.reverse()) await part.stop();
    await rm(directory, { recursive: true, force: true });
  });
  const keep = (part) => (parts.push(part), part);

  const folder = typeof www === "function" ? await www(directory) : www;
  const server = keep(await Server.start(directory, folder));
  const proxy = keep(await Proxy.start(server.origin));
  const browser = keep(await Chromium.start(join(directory, "profile"), options));
  return { directory, server, proxy, browser };
}
