/** The packed package in Node: importing it does nothing, and opening a database says what is missing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fixture } from "./fixture.mjs";
import { node, write } from "./project.mjs";

const shared = fixture({ browser: false, others: ["react"] });

/** Runs a module in the project and gives what it printed, which must be all that it said. */
async function run(text) {
  await write(shared.folder, { "main.js": text });
  const { stdout, stderr } = await node(shared.folder, ["main.js"]);
  assert.equal(stderr, "");
  return JSON.parse(stdout);
}

test("importing it touches no global, starts nothing, and gives what is documented", async () => {
  const { before, during, names } = await run(`
    const before = Object.getOwnPropertyNames(globalThis).sort();
    const names = {};
    for (const entry of ["landfall", "landfall/components", "landfall/react"]) {
      names[entry] = Object.keys(await import(entry)).sort();
    }
    const during = Object.getOwnPropertyNames(globalThis).sort();
    // The process ends by itself, or this test never does.
    console.log(JSON.stringify({ before, during, names }));
  `);
  assert.deepEqual(during, before);
  assert.deepEqual(names, {
    landfall: ["LandfallError", "open", "unset"],
    "landfall/components": ["LandfallConflicts", "LandfallOutbox", "LandfallStatus", "english"],
    "landfall/react": ["useDocument", "useOutbox", "useQuery", "useSync"],
  });
});

test("opening a database in Node says that there is no storage", async () => {
  const { name, code } = await run(`
    import { LandfallError, open } from "landfall";
    const error = await open({ name: "x", collections: { notes: {} } }).catch((error) => error);
    const name = error instanceof LandfallError ? error.name : "another error";
    console.log(JSON.stringify({ name, code: error.code }));
  `);
  assert.deepEqual({ name, code }, { name: "LandfallError", code: "storage_unavailable" });
});

test("what is not exported cannot be reached, the manifest and the module can", async () => {
  const found = await run(`
    const reach = (path) => {
      try { return import.meta.resolve(path).split("/node_modules/")[1]; } catch (error) { return error.code; }
    };
    const paths = ["landfall/package.json", "landfall/wasm", "landfall/dist/query.js", "landfall/src/index.ts"];
    console.log(JSON.stringify(paths.map(reach)));
  `);
  const closed = "ERR_PACKAGE_PATH_NOT_EXPORTED";
  assert.deepEqual(found, ["landfall/package.json", "landfall/wasm/landfall_web_bg.wasm", closed, closed]);
});
