/** Everything that one test needs, started for it and gone after it: server, network, browsers. */
import { join } from "node:path";
import { Chromium } from "./chromium.mjs";
import { DEMO } from "./products.mjs";
import { Proxy } from "./proxy.mjs";
import { Server } from "./server.mjs";
import { Workspace } from "./workspace.mjs";

/**
 * @param test - the test's context, or whatever has an `after`.
 * @param www - the page that the server serves; the demo if left out. A function gets the temporary folder.
 * @returns `another(profile, options)` starts one more browser, as another device or person has it.
 */
export async function world(test, { www = DEMO, browser: options } = {}) {
  const workspace = await Workspace.make();
  test.after(() => workspace.clear());
  const { directory } = workspace;
  const another = async (profile, options) => workspace.keep(await Chromium.start(join(directory, profile), options));

  const folder = typeof www === "function" ? await www(directory) : www;
  const server = workspace.keep(await Server.start(directory, folder));
  const proxy = workspace.keep(await Proxy.start(server.origin));
  const browser = await another("profile", options);
  return { directory, server, proxy, browser, another };
}
