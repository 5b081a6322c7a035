/** The packed package in an app that is built and served in each of the usual ways, without any configuration. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { build, createServer, preview } from "vite";
import webpack from "webpack";
import { HTML, MAIN, writesAndReads } from "./app.mjs";
import { fixture } from "./fixture.mjs";
import { filesIn, write } from "./project.mjs";
import { Site } from "./site.mjs";

const shared = fixture({ files: { "index.html": HTML, "main.js": MAIN } });
/** No configuration: neither the project's, for it has none, nor that of a folder above. */
const vite = (options) => ({ root: shared.folder, configFile: false, logLevel: "error", ...options });

test("Vite's development server serves it", async (t) => {
  const server = await createServer(vite({ server: { port: 0 } }));
  t.after(() => server.close());
  await server.listen();
  await writesAndReads(shared.browser, server.resolvedUrls.local[0]);
});

test("Vite builds it with one .wasm file, and its preview serves it", async (t) => {
  await build(vite());
  assert.equal((await filesIn(join(shared.folder, "dist"), ".wasm")).length, 1);
  const server = await preview(vite({ preview: { port: 0 } }));
  t.after(() => server.close());
  await writesAndReads(shared.browser, server.resolvedUrls.local[0]);
});

test("webpack builds it with one .wasm file", async (t) => {
  const out = join(shared.folder, "out");
  const options = { context: shared.folder, entry: "./main.js", mode: "production", output: { path: out } };
  const stats = await new Promise((resolve, reject) => {
    webpack(options, (error, stats) => (error ? reject(error) : resolve(stats)));
  });
  assert.equal(stats.hasErrors(), false, stats.toString("errors-only"));
  // The size of the .wasm is webpack's one complaint.
  assert.deepEqual(stats.compilation.warnings.filter(({ name }) => !/Size|NoAsyncChunks/.test(name)), []);
  assert.equal((await filesIn(out, ".wasm")).length, 1);
  await write(out, { "index.html": HTML });
  const site = await Site.start(out);
  t.after(() => site.stop());
  await writesAndReads(shared.browser, site.origin);
});
