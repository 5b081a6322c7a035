/** The packed package on a plain web server, without any tool, and what can be wrong with such a server. */
import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { HTML, MAIN, visit, writesAndReads } from "./app.mjs";
import { fixture } from "./fixture.mjs";
import { Site } from "./site.mjs";

const INSTALLED = "/node_modules/landfall/dist";
const MODULE = "/node_modules/landfall/wasm/landfall_web_bg.wasm";
const GLUE = "/node_modules/landfall/wasm/landfall_web.js";

const main = MAIN.replace('"landfall"', `"${INSTALLED}/index.js"`).replace(
  '"landfall/components"',
  `"${INSTALLED}/components/index.js"`,
);
const shared = fixture({ files: { "index.html": HTML, "main.js": main } });

async function site(t, options) {
  const site = await Site.start(shared.folder, options);
  t.after(() => site.stop());
  return site;
}

/** Opens the page, and gives the error that `open` rejected with. */
async function refusal(t, options, prepare) {
  const { origin } = await site(t, options);
  const page = await shared.browser.page();
  if (prepare) await page.addInitScript(prepare);
  const { opened } = await visit({ page: async () => page }, origin);
  assert.equal(opened.name, "LandfallError");
  assert.equal(opened.code, "core_unavailable");
  return opened.message;
}

const policy = (text) => ({ headers: { "content-security-policy": text } });
const instead = (path, answer) => ({ answer: (asked) => (asked === path ? answer : undefined) });

test("a script of type module is all it takes", async (t) => {
  const plain = await site(t);
  await writesAndReads(shared.browser, plain.origin);
  assert.deepEqual(plain.missing, []);
});

test("a policy that allows WebAssembly is enough, for the elements too", async (t) => {
  const strict = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'";
  const { origin } = await site(t, policy(strict));
  const { page } = await visit(shared.browser, origin);
  page.on("console", (message) => assert.doesNotMatch(message.text(), /Content Security Policy/));
  const colour = await page.evaluate(() => {
    const root = document.querySelector("landfall-outbox").shadowRoot;
    return getComputedStyle(root.querySelector(".empty")).color;
  });
  assert.equal(colour, "rgb(74, 87, 80)");
  await writesAndReads(shared.browser, origin);
});

test("a policy without it is named", async (t) => {
  const message = await refusal(t, policy("script-src 'self'"));
  assert.match(message, /script-src of the page's policy lacks 'wasm-unsafe-eval'/);
});

test("a browser without WebAssembly is named", async (t) => {
  const message = await refusal(t, {}, () => delete globalThis.WebAssembly);
  assert.match(message, /this browser has no WebAssembly/);
});

test("a file that is missing, or is a page, is named with what to do", async (t) => {
  const missing = { status: 404, type: "text/plain", body: "not here" };
  const html = { status: 200, type: "text/html", body: HTML };
  for (const answer of [instead(MODULE, missing), instead(MODULE, html), instead(GLUE, missing), instead(GLUE, html)]) {
    const message = await refusal(t, answer);
    assert.match(message, /serve landfall_web\.js and landfall_web_bg\.wasm as they are in the package/);
  }
});

test("a copy of the script that an older Vite made is named with what to do", async (t) => {
  const copy = "/node_modules/.vite/deps/landfall.js";
  await cp(join(shared.folder, INSTALLED, "index.js"), join(shared.folder, copy));
  const body = main.replace(`${INSTALLED}/index.js`, copy);
  const message = await refusal(t, instead("/main.js", { status: 200, type: "text/javascript", body }));
  assert.match(message, /optimizeDeps: { exclude: \["landfall"\] }/);
});

test("after a failure it can be opened again without a reload", async (t) => {
  let broken = true;
  const missing = { status: 503, type: "text/plain", body: "later" };
  const { origin } = await site(t, { answer: (path) => (broken && path === MODULE ? missing : undefined) });
  const { page, opened } = await visit(shared.browser, origin);
  assert.equal(opened.code, "core_unavailable");
  broken = false;
  const again = await page.evaluate(async (index) => {
    const { open } = await import(index);
    const db = await open({ name: "packed", collections: { notes: {} } });
    return (await db.notes.insert({ text: "late" })).id.length;
  }, `${INSTALLED}/index.js`);
  assert.equal(again, 36);
});
