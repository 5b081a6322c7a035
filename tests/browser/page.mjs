/** Pages under test: the demo, and an empty one that has nothing but the package. */
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PKG, WASM } from "./products.mjs";

/** Longer than any backoff that a test runs into; nothing waits for it unless something is broken. */
const PATIENCE_MS = 100_000;

/** Opens the demo and waits until its database is open. Works offline once the page was opened before. */
export async function openDemo(browser, origin, { user = "ana", prepare } = {}) {
  const page = await blank(browser);
  if (prepare) await page.addInitScript(prepare);
  await page.goto(user === null ? origin : `${origin}/?user=${user}`);
  await opened(page);
  return page;
}

/** Opens an empty page with the package as `open`, and a database with a collection `visits` as `db`. */
export async function openBare(browser, origin, { prepare, options = {} } = {}) {
  const page = await blank(browser);
  if (prepare) await page.addInitScript(prepare);
  await page.goto(`${origin}/`);
  await page.evaluate((options) => globalThis.start(options), options);
  return page;
}

/** Opens the core itself in an empty page as `core`, on the same database as `db`. */
export async function openCore(page, options = {}) {
  await page.evaluate((options) => globalThis.startCore(options), options);
}

/** Writes the folder of the empty page; `core` is the folder of the core to use. */
export async function bare(directory, core = WASM) {
  const www = join(directory, "bare");
  await mkdir(www);
  await cp(PKG, join(www, "package", "dist"), { recursive: true });
  await cp(core, join(www, "package", "wasm"), { recursive: true });
  await writeFile(join(www, "index.html"), '<!doctype html><title>Bare</title><script type="module" src="/bare.js"></script>');
  await writeFile(join(www, "bare.js"), BARE);
  return www;
}

const BARE = `
import { open } from "/package/dist/index.js";

/** Asked for every token; a test may put another one here. */
globalThis.auth = async (user) => {
  const body = JSON.stringify({ user, role: "worker" });
  const headers = { "content-type": "application/json" };
  const response = await fetch("/demo/token", { method: "POST", headers, body });
  return (await response.json()).token;
};

globalThis.startCore = async (options) => {
  // The same module that the package imports, and so the same instance.
  const glue = await import("/package/wasm/landfall_web.js");
  const visits = { version: 1, parent: {}, fields: {}, indexes: [], migrates: false };
  const wire = { name: "bare", url: location.origin, user: "ada", collections: { visits }, ...options };
  globalThis.coreEvents = [];
  globalThis.core = await glue.open(wire, () => auth(wire.user), (text) => globalThis.coreEvents.push(JSON.parse(text)));
};

globalThis.start = async ({ user = "ada", ...options }) => {
  globalThis.db = await open({
    name: "bare", url: location.origin, collections: { visits: {} },
    // A guest is nobody, and has no token.
    ...(user !== null && { user, auth: () => auth(user) }), ...options,
  });
};
`;

async function blank(browser) {
  const page = await browser.page();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("pageerror", (error) => console.error(`page: ${error.stack ?? error}`));
  return page;
}

/** Resolves once `condition`, which runs in the page, holds; says where things stand if it never does. */
export async function until(page, condition, argument, patience = PATIENCE_MS) {
  try {
    if (condition.constructor.name === "AsyncFunction") await awaited(page, condition, argument, patience);
    // Not with every frame: a tab that nobody sees draws none.
    else await page.waitForFunction(condition, argument, { polling: 50, timeout: patience });
  } catch (error) {
    const sync = await page.evaluate(() => JSON.stringify(globalThis.db?.sync.state ?? "no database"));
    throw new Error(`${error.message}\nwaiting for ${condition}\nwith ${JSON.stringify(argument)}\nwhile ${sync}`);
  }
}

/** Playwright takes a promise for an answer, whatever it comes to. */
async function awaited(page, condition, argument, patience) {
  const handle = await page.evaluateHandle(`(${condition})`);
  await page.evaluate(
    async ([holds, argument, patience]) => {
      const end = performance.now() + patience;
      while (!(await holds(argument))) {
        if (performance.now() > end) throw new Error(`not within ${patience} ms`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    [handle, argument, patience],
  );
}

/** Resolves once the page's database is open. */
export async function opened(page) {
  await until(page, () => globalThis.db !== undefined);
}

/** Resolves once the service worker can serve the page without a network. */
export async function shellKept(page) {
  await until(page, () => navigator.serviceWorker.controller?.state === "activated");
}

/** Resolves once the device has been in step with the server. */
export async function synced(page) {
  await until(page, () => db.sync.state.lastSyncedAt !== null && db.sync.state.phase === "idle");
}

/** Resolves once nothing is pending any more. Only looks; it gives the page no reason to try sooner. */
export async function drained(page) {
  await until(page, () => db.sync.state.pending === 0 && db.sync.state.phase === "idle");
}
