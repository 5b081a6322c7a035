/** What becomes of the place where writes are kept, each way it can go wrong: said by a code or by the state, and outlived. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { ARGS } from "./chromium.mjs";
import { bare, drained, openBare, synced, until } from "./page.mjs";
import { expected, insert, onServer, outbox, visit, visits } from "./visits.mjs";
import { world } from "./world.mjs";

const MIB = 1 << 20;

async function start(t, { prepare } = {}) {
  const parts = await world(t, { www: bare });
  const page = await openBare(parts.browser, parts.proxy.origin, { prepare });
  await synced(page);
  return { ...parts, page };
}

/** A page on a device with so much room for its origin, which the browser has to be told before it looks. */
async function startWith(t, bytes) {
  // With this feature, pages are told of ten free gigabytes, whatever there is.
  const args = [...ARGS, "--disable-features=StaticStorageQuota"];
  const parts = await world(t, { www: bare, browser: { args } });
  const open = async (bytes) => {
    const page = await parts.browser.page();
    const session = await page.context().newCDPSession(page);
    /** `undefined`: as much as ever. What it overrides is so for as long as its session lives. */
    const allow = (quotaSize) => session.send("Storage.overrideQuotaForOrigin", { origin: parts.proxy.origin, quotaSize });
    await allow(bytes);
    await page.goto(`${parts.proxy.origin}/`);
    await page.evaluate(() => globalThis.start({}));
    return { page, allow };
  };
  const startAgain = async (bytes) => {
    await parts.browser.start();
    return open(bytes);
  };
  const { page, allow } = await open(bytes);
  await synced(page);
  return { ...parts, page, allow, startAgain };
}

async function evict(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Storage.clearDataForOrigin", { origin: new URL(page.url()).origin, storageTypes: "indexeddb" });
}

const codeOf = (page, call, argument) =>
  page.evaluate(`(${call})(${JSON.stringify(argument)}).then(() => null, ({ code }) => code)`);
const state = (page) => page.evaluate(() => db.sync.state);

test("on a full device writes are refused by code, the app goes on, and with more room writes are saved again", async (t) => {
  const { server, proxy, page, allow } = await startWith(t, 2 * MIB);
  await proxy.rule("/api", { kind: "refuse" });
  await insert(page, visits(3));
  // More in one commit than there is room for, so that it is the browser who refuses; it compresses what repeats itself.
  const noise = () => randomBytes(75_000).toString("base64");
  const many = Array.from({ length: 30 }, () => ({ site: "A1", notes: noise() }));
  const write = (rows) => db.visits.insertMany(rows);
  assert.equal(await codeOf(page, write, many), "storage_full");
  assert.equal(await page.evaluate(() => db.visits.where({}).count()), 3);
  await insert(page, [visit(5)]);
  await proxy.clear("/api");
  await drained(page);
  assert.deepEqual(await onServer(server), expected([...visits(3), visit(5)]));
  await allow(undefined);
  assert.equal(await codeOf(page, write, many), null);
  await drained(page);
  assert.equal(Object.keys(await onServer(server)).length, 34);
});

test("what is left of a nearly full device's room is kept for sending what is saved", async (t) => {
  const { server, proxy, page } = await startWith(t, 5 * MIB);
  await proxy.rule("/api", { kind: "refuse" });
  await insert(page, visits(100));
  // Something else of the same origin fills it up, to half of what the package keeps free.
  const cache = (work) => page.evaluate(`caches.open("other").then(${work})`);
  await cache(`(cache) => cache.put("/filler", new Response(new Uint8Array(${4.4 * MIB})))`);
  await page.reload();
  await page.evaluate(() => globalThis.start({}));
  await until(page, () => db.sync.state.storage.quota !== null);
  const write = ({ id, ...row }) => db.visits.insert(row, { id });
  assert.equal(await codeOf(page, write, visit(100)), "storage_full");
  await proxy.clear("/api");
  await drained(page);
  assert.deepEqual(await onServer(server), expected(visits(100)));
  assert.deepEqual(await outbox(page), []);
  await cache('(cache) => cache.delete("/filler")');
  assert.equal(await codeOf(page, write, visit(100)), null);
});

test("with no room at all nothing is lost, and what is saved goes as soon as there is some", async (t) => {
  const { server, proxy, page, browser, startAgain } = await startWith(t, 5 * MIB);
  await proxy.rule("/api", { kind: "refuse" });
  await insert(page, visits(100));
  // A browser that runs remembers for a while how much room there was.
  await browser.kill();
  const { page: again, allow } = await startAgain(1);
  await proxy.clear("/api");
  await again.evaluate(() => db.sync.now());
  const { pending, reason, nextTryAt } = await state(again);
  assert.deepEqual({ pending, reason }, { pending: 100, reason: "storage_full" });
  assert.ok(nextTryAt !== null, "it is tried again by itself");
  // What is sent has to be noted down first, or a crash could send it twice.
  assert.deepEqual(await onServer(server), {});
  assert.equal(await again.evaluate(() => db.visits.where({}).count()), 100);
  await allow(5 * MIB);
  await drained(again);
  assert.deepEqual(await onServer(server), expected(visits(100)));
});

test("data that the browser deletes while the page runs is missed and announced, and what the page remembers is saved again", async (t) => {
  const { server, proxy, page, browser } = await start(t);
  const other = await openBare(browser, proxy.origin);
  await insert(page, visits(3));
  await drained(page);
  await proxy.rule("/api", { kind: "refuse" });
  await insert(page, [visit(4)]);
  await insert(other, [visit(5)]);
  for (const tab of [page, other]) await until(tab, () => db.sync.state.pending === 2);
  await evict(page);
  for (const tab of [page, other]) {
    await until(tab, () => db.sync.state.storage.evicted);
    await until(tab, () => db.sync.state.pending === 2);
  }
  // What was saved again is stored, not only remembered.
  await other.close();
  await page.reload();
  await page.evaluate(() => globalThis.start({}));
  assert.equal((await outbox(page)).length, 2);
  await proxy.clear("/api");
  await drained(page);
  const all = [...visits(3), visit(4), visit(5)];
  assert.deepEqual(await onServer(server), expected(all));
  assert.equal(await page.evaluate(() => db.visits.where({}).count()), all.length);
});

test("data that is gone at the next start is announced, and fetched again; a new device is no alarm", async (t) => {
  const { page } = await start(t);
  assert.equal((await state(page)).storage.evicted, false);
  await insert(page, visits(3));
  await drained(page);
  await page.reload();
  await page.evaluate(() => globalThis.start({}));
  assert.equal((await state(page)).storage.evicted, false);
  await page.goto("about:blank").then(() => page.goBack());
  await evict(page);
  await page.evaluate(() => globalThis.start({}));
  assert.equal((await state(page)).storage.evicted, true);
  await synced(page);
  assert.equal(await page.evaluate(() => db.visits.where({}).count()), 3);
});

test("an older version in another tab that does not let go is said by code, and waited for no longer than it takes", async (t) => {
  const { browser, proxy, page } = await start(t);
  const name = await page.evaluate(async () => (await indexedDB.databases())[0].name);
  await page.evaluate(() => db.close());
  await page.evaluate(async (name) => {
    const asked = (request) => new Promise((resolve, reject) => Object.assign(request, { onsuccess: resolve, onerror: reject }));
    await asked(indexedDB.deleteDatabase(name));
    // A version that knows of one store only, and of nobody else.
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore("journal", { autoIncrement: true });
    await asked(request);
    globalThis.old = request.result;
  }, name);
  const other = await browser.page();
  await other.clock.install();
  await other.goto(`${proxy.origin}/`);
  const opening = codeOf(other, () => start({}));
  // The clock is the page's own, so it goes on only while this does.
  const over = opening.then(() => true);
  while (!(await Promise.race([over, other.clock.runFor(1_000)])));
  assert.equal(await opening, "storage_blocked");
  await page.evaluate(() => globalThis.old.close());
  const last = await openBare(browser, proxy.origin);
  await insert(last, [visit(1)]);
  await drained(last);
});

test("a newer version that changes the stores in another tab is let through, and the page goes on", async (t) => {
  const { server, browser, proxy, page } = await start(t);
  await insert(page, [visit(1)]);
  const other = await openBare(browser, proxy.origin);
  await other.evaluate(async () => {
    await db.close();
    const [{ name, version }] = await indexedDB.databases();
    await new Promise((resolve, reject) => {
      const request = indexedDB.open(name, version + 1);
      Object.assign(request, { onsuccess: resolve, onerror: reject, onblocked: reject });
      request.onupgradeneeded = () => request.result.createObjectStore("later");
    }).then(({ target }) => target.result.close());
  });
  await insert(page, [visit(2)]);
  await drained(page);
  assert.deepEqual(await onServer(server), expected([visit(1), visit(2)]));
});

test("records that somebody has damaged are counted and exported, and stop nothing", async (t) => {
  const { server, proxy, page } = await start(t);
  await insert(page, visits(3));
  await drained(page);
  await proxy.rule("/api", { kind: "refuse" });
  await insert(page, [visit(4)]);
  await insert(page, [visit(5)]);
  await page.evaluate(() => db.close());
  const broken = await page.evaluate(async () => {
    const [{ name }] = await indexedDB.databases();
    const done = (request) => new Promise((resolve, reject) => Object.assign(request, { onsuccess: () => resolve(request.result), onerror: reject }));
    const raw = await done(indexedDB.open(name));
    const stores = raw.transaction(["journal", "base", "meta"], "readwrite");
    const [journal, base] = [stores.objectStore("journal"), stores.objectStore("base")];
    const keys = await done(journal.getAllKeys());
    const text = (await done(journal.get(keys.at(-2)))).slice(0, -9);
    journal.put(text, keys.at(-2));
    for (const key of await done(base.getAllKeys())) base.put("{", key);
    await new Promise((resolve) => (stores.oncomplete = resolve));
    raw.close();
    return text;
  });
  await page.evaluate(() => globalThis.start({}));
  assert.equal((await state(page)).damaged, 1);
  assert.deepEqual((await page.evaluate(() => db.export())).damaged, [broken]);
  assert.deepEqual((await outbox(page)).map(({ document }) => document), [visit(5).id]);
  await proxy.clear("/api");
  await page.evaluate(() => db.visits.where({}).all());
  await drained(page);
  await until(page, async () => (await db.visits.where({}).count()) === 4);
  assert.deepEqual(await onServer(server), expected([...visits(3), visit(5)]));
});

test("a private window works, and says that nothing was promised", async (t) => {
  const { server, proxy, browser } = await world(t, { www: bare });
  const context = await browser.context.browser().newContext();
  const page = await openBare({ page: () => context.newPage() }, proxy.origin);
  await synced(page);
  await insert(page, visits(3));
  await drained(page);
  const { durability, persisted, evicted } = (await state(page)).storage;
  assert.deepEqual({ durability, persisted, evicted }, { durability: "strict", persisted: false, evicted: false });
  assert.deepEqual(await onServer(server), expected(visits(3)));
  await context.close();
});

for (const granted of [false, true]) {
  test(`the browser is asked to keep the data, and that it has ${granted ? "" : "not "}promised it is shown`, async (t) => {
    const { page, proxy } = await start(t);
    if (granted) {
      const session = await page.context().newCDPSession(page);
      await session.send("Browser.grantPermissions", { origin: proxy.origin, permissions: ["durableStorage"] });
    }
    await insert(page, [visit(1)]);
    await until(page, (granted) => db.sync.state.storage.persisted === granted, granted);
  });
}
