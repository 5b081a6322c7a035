/** The packed package as editors, compilers and registries see it. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { fixture } from "./fixture.mjs";
import { filesIn, node } from "./project.mjs";

const TSC = fileURLToPath(new URL("node_modules/typescript/bin/tsc", import.meta.url));

/** An app that uses every entry; a wrong type in it does not compile. */
const APP = `
import { type Database, LandfallError, open, type SyncState } from "landfall";
import { english, type LandfallOutbox } from "landfall/components";
import { useDocument, useOutbox, useQuery, useSync } from "landfall/react";

const db = await open({ name: "typed", collections: { notes: {} } });
const elsewhere: Database<{ notes: {} }> = db;
const outbox: LandfallOutbox = document.createElement("landfall-outbox");
outbox.db = elsewhere;
outbox.words = { discard: english.discard };
outbox.describe = ({ document }) => document;
document.createElement("landfall-status").db = db;
// @ts-expect-error: not a database
outbox.db = new LandfallError("closed", "");

export function useAll(): [number | undefined, SyncState | undefined, number, string | undefined] {
  const notes = useQuery(db.notes.where().limit(3));
  return [notes?.length, useSync(db), useOutbox(db).length, useDocument(db.notes, "n")?.id];
}
`;

/** The elements in JSX. */
const PANEL = `
import { open } from "landfall";
import "landfall/components";
import "landfall/react";

const db = await open({ name: "typed", collections: { notes: {} } });
const panel = (
  <main>
    <landfall-status db={db} href="#outbox" className="top" />
    <landfall-outbox db={db} editable describe={({ document }) => document} onlandfall-edit={({ detail }) => detail.id} />
    {/* @ts-expect-error: not a database */}
    <landfall-status db={{}} />
  </main>
);
panel.key;
`;

const shared = fixture({ browser: false, files: { "app.ts": APP, "panel.tsx": PANEL }, others: ["@types/react", "csstype"] });

for (const [module, resolution] of [["node16", "node16"], ["esnext", "bundler"]]) {
  test(`an app compiles under ${resolution} resolution, with all checks`, async () => {
    const flags = ["--noEmit", "--strict", "--skipDefaultLibCheck", "--jsx", "react-jsx", "--target", "es2022", "--module", module, "--moduleResolution", resolution];
    await node(shared.folder, [TSC, ...flags, "app.ts", "panel.tsx"]).catch(({ stdout }) => assert.fail(stdout));
  });
}

test("publint has nothing to say", async () => {
  const { messages, pkg } = await publint({ pkgDir: join(shared.folder, "node_modules/landfall"), strict: true, pack: false });
  assert.deepEqual(messages.map((message) => formatMessage(message, pkg)), []);
});

test("the types are not wrong, for anybody who can import an ES module", async () => {
  const tarball = createPackageFromTarballData(new Uint8Array(await readFile(shared.tarball)));
  // The module is a file to copy or to fetch; there is nothing in it that a type could tell.
  const analysis = await checkPackage(tarball, { excludeEntrypoints: ["./wasm"] });
  // An ESM-only package: who cannot import one is not asked.
  const others = new Set(["node10", "node16-cjs"]);
  const wrong = analysis.problems.filter(({ resolutionKind }) => !others.has(resolutionKind));
  assert.deepEqual(wrong, []);
  assert.deepEqual(Object.keys(analysis.entrypoints), [".", "./components", "./react", "./package.json"]);
});

test("the tarball holds what is built and nothing else, and loads nothing by itself", async () => {
  const installed = join(shared.folder, "node_modules/landfall");
  const scripts = await filesIn(installed, ".js");
  assert.deepEqual(scripts.sort(), [
    "dist/components/index.js",
    "dist/index.js",
    "dist/node.js",
    "dist/react.js",
    "wasm/landfall_web.js",
  ]);
  for (const script of scripts) {
    const text = await readFile(join(installed, script), "utf8");
    assert.doesNotMatch(text, /data:application\/wasm|from\s*["'][^"']*\.wasm["']|\beval\(|new Function\(/, script);
  }
});
