/** Queries over declared indexes: what reading everything gives, of which they read no more than they show. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bare, openBare, synced, until } from "./page.mjs";
import { stock, stocked } from "./stock.mjs";
import { TASK_MS, watchCollector, watchTasks } from "./tasks.mjs";
import { world } from "./world.mjs";

const DOCUMENTS = Number(process.env.DOCUMENTS ?? 20_000);
const INDEXED = { collections: { visits: { indexes: ["site", "dueAt", "rating"] } } };
const fields = (n) => ({ site: `site-${n % 200}`, rating: n % 500 === 0 ? n % 7 : null, dueAt: `2031-03-${n * 7919}` });

/** Runs in the page before anything else of it does: counts what is read of documents. */
function countReads() {
  globalThis.reads = 0;
  const { get, getAll } = IDBObjectStore.prototype;
  IDBObjectStore.prototype.get = function (...args) {
    if (this.name === "base") globalThis.reads += 1;
    return get.apply(this, args);
  };
  IDBObjectStore.prototype.getAll = function (...args) {
    const request = getAll.apply(this, args);
    if (this.name === "base") request.addEventListener("success", () => (globalThis.reads += request.result.length));
    return request;
  };
}

/** Runs in the page: whether everything is indexed. */
async function indexed() {
  const [{ name }] = (await indexedDB.databases()).filter(({ name }) => name.startsWith("landfall "));
  const done = (request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
  const database = await done(indexedDB.open(name));
  const record = await done(database.transaction("meta").objectStore("meta").get("index/visits"));
  database.close();
  return record !== undefined && JSON.parse(record)[1] === "";
}

/** Runs in the page: what a query gives, how much of it is read for that, and how long it takes. */
async function ask([filter, field, direction, limit]) {
  const before = globalThis.reads;
  const began = performance.now();
  const query = db.visits.where(filter);
  const rows = await (field === undefined ? query : query.orderBy(field, direction).limit(limit)).all();
  return { rows, reads: globalThis.reads - before, milliseconds: Math.round(performance.now() - began) };
}

const QUERIES = [
  [{ site: "site-7" }],
  [{ rating: 3 }, "dueAt", "asc", 10],
  [{}, "dueAt", "desc", 50],
  [{}, "dueAt", "asc", 50],
];

test(`queries over ${DOCUMENTS} documents read what they show, and live ones follow it`, async (t) => {
  const { server, browser } = await world(t, { www: bare });
  await stock(server, DOCUMENTS, fields);
  const began = Date.now();
  const collected = await watchCollector(browser);
  const first = await openBare(browser, server.origin, { prepare: watchTasks, options: INDEXED });
  await first.evaluate(() => (globalThis.since = performance.now()));
  await synced(first);
  const stored = Date.now();
  await until(first, indexed);
  const { tasks, pauses, long } = await collected(first);
  const held = Math.round(pauses.reduce((sum, { milliseconds }) => sum + milliseconds, 0));
  t.diagnostic(`a first sync of ${stored - began} ms, indexed ${Date.now() - stored} ms later`);
  t.diagnostic(`the collector took ${held} ms; tasks with it ${JSON.stringify(tasks)}`);
  assert.deepEqual(long, [], `tasks over ${TASK_MS} ms, without the collector`);
  await first.close();

  // Each query is the first of a page, so nothing is known yet.
  for (const query of QUERIES) {
    const answers = [];
    for (const options of [INDEXED, {}]) {
      const page = await openBare(browser, server.origin, { prepare: countReads, options });
      answers.push(await page.evaluate(ask, query));
      await page.close();
    }
    const [mine, whole] = answers;
    assert.ok(mine.rows.length > 0);
    assert.deepEqual(mine.rows, whole.rows, "as if everything had been read");
    const most = query[3] === 50 ? 100 : DOCUMENTS / 200;
    assert.ok(mine.reads <= most, `${mine.reads} documents were read for ${JSON.stringify(query)}`);
    assert.ok(whole.reads >= DOCUMENTS, "reading everything is noticed");
    t.diagnostic(`${JSON.stringify(query)}: ${mine.milliseconds} ms, without an index ${whole.milliseconds} ms`);
  }

  const page = await openBare(browser, server.origin, { prepare: countReads, options: INDEXED });
  await page.evaluate(() => {
    db.visits.where().orderBy("dueAt", "desc").limit(3).subscribe((rows) => {
      globalThis.shown = rows.map(({ id }) => id).join(" ");
    });
  });
  const sorted = Array.from({ length: DOCUMENTS }, (_, n) => stocked(n, fields)).sort((one, other) => (one.dueAt < other.dueAt ? 1 : -1));
  const ids = sorted.map(({ id }) => id);
  const shows = (ids) => until(page, (ids) => globalThis.shown === ids, ids.join(" "));
  await shows(ids.slice(0, 3));
  // More of them than are known beyond the ones that are shown.
  for (const id of ids.slice(0, 5)) await page.evaluate((id) => db.visits.delete(id), id);
  await shows(ids.slice(5, 8));
  await page.evaluate((id) => db.visits.update(id, { dueAt: "2031-04" }), ids[20]);
  await shows([ids[20], ids[5], ids[6]]);
  await synced(page);
  await stock(server, DOCUMENTS + 1, () => ({ dueAt: "2031-05" }), DOCUMENTS);
  await page.evaluate(() => db.sync.now());
  await shows([stocked(DOCUMENTS).id, ids[20], ids[5]]);
  assert.ok((await page.evaluate(() => globalThis.reads)) < 100, "few documents were read for all that");
});
