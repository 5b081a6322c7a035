/** A page with the elements in it, and databases that say what a test wants to see shown. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { Site } from "./site.mjs";

const AXE = new URL("node_modules/axe-core/axe.min.js", import.meta.url);

export const HTML = `<!doctype html>
<html lang="en">
  <head>
    <title>Elements</title>
    <meta name="viewport" content="width=device-width">
    <style>
      :root { color-scheme: light dark; font: 1rem/1.45 sans-serif; }
      body { margin: 1rem; background: light-dark(#f4f1ea, #0e1412); }
    </style>
    <script type="module" src="/main.js"></script>
  </head>
  <body><main><h1>Elements</h1></main></body>
</html>
`;

/** States that a server or a browser would take long to get into are told by hand, in the shape of `db`. */
export const MAIN = `
import { english } from "/node_modules/landfall/dist/components/index.js";

class Told {
  #listeners = new Set();
  constructor(state) { this.state = state; }
  subscribe(listener) {
    this.#listeners.add(listener);
    listener(this.state);
    return () => this.#listeners.delete(listener);
  }
  tell(state) {
    this.state = state;
    for (const listener of this.#listeners) listener(state);
  }
  get followers() { return this.#listeners.size; }
}

const storage = { durability: "strict", persisted: true, usage: 10, quota: 1e10, evicted: false };
const progress = { done: 0, total: 0, bytes: 0 };
const calm = {
  online: true, phase: "idle", pending: 0, failed: 0, oldestPendingAt: null, lastSyncedAt: Date.now(), nextTryAt: null,
  progress, breaker: "closed", clockSkewMs: 0, reason: null, damaged: 0, lost: 0, storage,
};
const state = (told = {}) => ({ ...calm, ...told, storage: { ...storage, ...told.storage } });

/** What was done to items and conflicts, as calls. */
globalThis.calls = [];
let answer = async () => {};

const item = (told = {}) => ({
  id: "w:" + (told.document ?? "d"), kind: "patch", collection: "visits", document: "d", group: null, status: "saved",
  code: null, message: null, field: null, attempts: 0, savedAt: Date.now(), because: null, discarding: false, fields: [],
  ...told,
  retry() { calls.push("retry " + this.document); return answer(); },
  discard() { calls.push("discard " + this.document); return answer(); },
  export() { return { document: this.document }; },
});

const side = (user, value, told) => ({ user, at: Date.now(), value, removed: false, deleted: false, ...told });
const conflict = (told = {}) => ({
  id: "c1", collection: "visits", document: "d", path: "/notes", field: "notes", mine: side("ada", "roof ok"),
  theirs: side("bo", "roof leaks"), winner: "theirs", at: Date.now(), resolved: null, ...told,
});

globalThis.db = {
  sync: new Told(state()),
  outbox: new Told([]),
  conflicts: Object.assign(new Told([]), {
    resolve(id, choice) { calls.push("resolve " + id + " " + choice); return answer(); },
  }),
};
Object.assign(globalThis, {
  english,
  tellSync: (told) => db.sync.tell(state(told)),
  tellItems: (told) => db.outbox.tell(told.map(item)),
  tellConflicts: (told) => db.conflicts.tell(told.map(conflict)),
  answerWith: (promise) => (answer = promise),
  /** Puts an element into the page, in place of the last one. */
  show(name, attributes = {}) {
    const element = document.createElement("landfall-" + name);
    for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
    element.words = { collections: { visits: "Visit" } };
    element.describe = ({ document }) => "Station " + document;
    element.db = db;
    document.querySelector("landfall-" + name)?.remove();
    document.querySelector("main").append(element);
  },
});
`;

/** Opens the page; its clock stands still until a test moves it. */
export async function elements(t, { folder, browser }) {
  const site = await Site.start(folder);
  const page = await browser.page();
  t.after(async () => {
    await page.close();
    await site.stop();
  });
  page.setDefaultTimeout(30_000);
  page.on("pageerror", (error) => assert.fail(error));
  await page.clock.install({ time: new Date("2026-05-04T10:00:00") });
  await page.clock.pauseAt(new Date("2026-05-04T10:00:01"));
  await page.goto(site.origin);
  await page.waitForFunction(() => globalThis.show !== undefined);
  return page;
}

/** Everything that axe has a rule for, inside the elements too. */
export async function accessible(page, state) {
  const axe = await readFile(AXE, "utf8");
  // It waits for timers of its own.
  await page.clock.resume();
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run({ resultTypes: ["violations"] }));
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
    assert.deepEqual(found, [], `${state}, ${colorScheme}`);
  }
}
