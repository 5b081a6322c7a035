/** The core panics, wherever it may: the page is told, goes on with a new instance, and nothing saved is lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bare, drained, openBare, synced, until } from "./page.mjs";
import { WASM_PLANTED } from "./products.mjs";
import { onServer, visits } from "./visits.mjs";
import { world } from "./world.mjs";

const crashing = { www: (directory) => bare(directory, WASM_PLANTED) };
const WRITES = 8;
/** Beyond the last step of a run in which nothing is pending any more, so that every step has had its turn. */
const STEPS = 40;

/** Writes visits one after the other, again and again until each is saved, with the core panicking at a step of its own. */
async function writeThrough(page, rows, step) {
  return page.evaluate(
    async ([rows, step]) => {
      globalThis.landfallPanic = step;
      const codes = [];
      for (const { id, ...row } of rows) {
        for (let saved = false; !saved; ) {
          try {
            await db.visits.insert(row, { id });
            saved = true;
          } catch ({ code }) {
            codes.push(code);
            // Its commit may have been complete when the core went: then it is there already.
            saved = code === "already_exists";
          }
        }
      }
      return codes;
    },
    [rows, step],
  );
}

/** The panic's own words on the console are expected, and so is the trap that it ends in. */
function quiet(page) {
  page.removeAllListeners("pageerror");
}

test("a panic at any step loses nothing that was saved, doubles nothing, and the database goes on", async (t) => {
  const { server, proxy, browser } = await world(t, crashing);
  const page = await openBare(browser, proxy.origin);
  quiet(page);
  await synced(page);
  await page.evaluate(() => {
    globalThis.crashes = 0;
    globalThis.shown = [];
    globalThis.refused = [];
    let before = null;
    db.sync.subscribe(({ reason }) => {
      globalThis.crashes += reason === "core_crashed" && reason !== before;
      before = reason;
    });
    db.visits.where({}).subscribe((rows) => (globalThis.shown = rows), { onError: (error) => globalThis.refused.push(error) });
  });
  const all = [];
  for (let step = 0; step < STEPS; step += 1) {
    const rows = visits(WRITES).map(({ id, ...row }) => ({ id: `${id}-${step}`, ...row }));
    all.push(...rows);
    const codes = await writeThrough(page, rows, step);
    for (const code of codes) assert.match(code, /^(core_crashed|already_exists)$/);
    await drained(page);
    // A step beyond those of the writes is one of some round without any.
    await page.evaluate(async () => {
      while (globalThis.landfallPanic !== null) await db.sync.now().catch(() => {});
    });
    await drained(page);
    // Far apart, as panics are: the fourth within a minute ends the database.
    await page.evaluate(() => (performance.now = ((now) => () => now.call(performance) + 61_000 * globalThis.crashes)(Performance.prototype.now)));
  }
  assert.deepEqual(await page.evaluate(() => [globalThis.landfallPanic, globalThis.refused]), [null, []]);
  assert.equal(await page.evaluate(() => globalThis.crashes), STEPS);
  await until(page, (count) => globalThis.shown.length === count, all.length);
  const stored = Object.entries(await onServer(server));
  assert.deepEqual(stored.map(([id]) => id), all.map(({ id }) => id).sort());
  assert.deepEqual([...new Set(stored.map(([, { version }]) => version))], [1]);
});

test("a crash lets go of the lock, so that another tab drains, and of everything else", async (t) => {
  const { server, proxy, browser } = await world(t, crashing);
  const [leader, other] = [await openBare(browser, proxy.origin), await openBare(browser, proxy.origin)];
  quiet(leader);
  await synced(leader);
  // No new instance: the module that it would be made of is gone.
  await leader.evaluate(() => {
    WebAssembly.Instance = class { constructor() { throw new Error("no instance"); } };
    globalThis.landfallPanic = 0;
  });
  const refused = leader.evaluate(() => db.visits.insert({ site: "A1" }).then(() => null, ({ code }) => code));
  assert.equal(await refused, "core_crashed");
  await other.evaluate(() => db.visits.insert({ site: "A2" }));
  await drained(other);
  assert.deepEqual(Object.values(await onServer(server)).map(({ site }) => site), ["A2"]);
  assert.equal(await leader.evaluate(() => db.visits.get("x").catch(({ code }) => code)), "core_crashed");
  // Nothing of the dead instance keeps the database from being deleted.
  await other.evaluate(() => db.close());
  await other.evaluate(async () => {
    const [{ name }] = await indexedDB.databases();
    await new Promise((resolve, reject) => Object.assign(indexedDB.deleteDatabase(name), { onsuccess: resolve, onblocked: reject }));
  });
});
