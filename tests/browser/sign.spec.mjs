/** Signing in and out on a device: what goes along, what is deleted, and what calls of the server carry. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bare, drained, openBare, openCore, opened, synced, until } from "./page.mjs";
import { insert, visit, visits } from "./visits.mjs";
import { world } from "./world.mjs";

/** The code that a call of the page's database is refused with. */
const codeOf = (page, call) => page.evaluate(`(${call})().then(() => null, ({ code }) => code)`);
const databases = (page) => page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name));

test("whoever signs out leaves nothing on the device, in no tab, and finds everything again", async (t) => {
  const { browser, proxy } = await world(t, { www: bare });
  const [one, other] = [await openBare(browser, proxy.origin), await openBare(browser, proxy.origin)];
  await insert(one, visits(3));
  for (const page of [one, other]) await drained(page);
  await other.evaluate(() => db.signOut());
  for (const page of [one, other]) {
    assert.equal(await codeOf(page, () => db.visits.get("visit-0001")), "signed_out");
    assert.equal(await codeOf(page, () => db.visits.insert({ site: "A1" })), "signed_out");
  }
  assert.deepEqual(await databases(one), []);
  await one.evaluate(() => start({}));
  await synced(one);
  assert.equal(await one.evaluate(() => db.visits.where({}).all().then((rows) => rows.length)), 3);
});

test("signing out is refused while a write is not on the server, whichever tab made it", async (t) => {
  const { browser, proxy } = await world(t, { www: bare });
  const [one, other] = [await openBare(browser, proxy.origin), await openBare(browser, proxy.origin)];
  await synced(one);
  await proxy.rule("/api", { kind: "refuse" });
  await insert(one, visits(2));
  for (const page of [one, other]) assert.equal(await codeOf(page, () => db.signOut()), "pending_writes");
  await insert(other, [visit(7)]);
  assert.equal(await codeOf(one, () => db.signOut()), "pending_writes");
  await until(one, () => db.sync.state.pending === 3);
  await proxy.clear("/api");
  await one.evaluate(() => db.sync.now());
  await drained(one);
  await one.evaluate(() => db.signOut());
});

test("a database that a silent tab holds on to is empty, takes no write, and is made anew later", async (t) => {
  const { browser, proxy } = await world(t, { www: bare });
  const [one, silent] = [await openBare(browser, proxy.origin), await openBare(browser, proxy.origin)];
  await insert(one, visits(2));
  await drained(one);
  await silent.evaluate(() => db.close());
  // As a tab that is frozen: it has the database open and hears of nothing.
  await silent.evaluate(async () => {
    const [{ name }] = await indexedDB.databases();
    globalThis.held = await new Promise((resolve) => {
      indexedDB.open(name).onsuccess = ({ target }) => resolve(target.result);
    });
  });
  await one.evaluate(() => db.signOut());
  const left = await silent.evaluate(async () => {
    const counts = {};
    for (const name of held.objectStoreNames) {
      const request = held.transaction(name).objectStore(name).count();
      counts[name] = await new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
    }
    return counts;
  });
  assert.deepEqual(Object.entries(left).filter(([, count]) => count > 0), [["journal", 1]]);
  const adding = await silent.evaluate(
    () =>
      new Promise((resolve) => {
        const request = held.transaction("journal", "readwrite").objectStore("journal").add("a write");
        request.onsuccess = () => resolve("added");
        request.onerror = () => resolve(request.error.name);
      }),
  );
  assert.equal(adding, "ConstraintError");
  await silent.evaluate(() => held.close());
  await one.evaluate(() => start({}));
  await synced(one);
  assert.equal(await one.evaluate(() => db.visits.where({}).all().then((rows) => rows.length)), 2);
});

test("what a guest wrote goes to the server as whoever signs in, once, and the guest's database is gone", async (t) => {
  const { browser, proxy, server } = await world(t, { www: bare });
  const guest = { user: null };
  const [one, other] = [
    await openBare(browser, proxy.origin, { options: guest }), await openBare(browser, proxy.origin, { options: guest }),
  ];
  await insert(one, visits(3));
  await insert(other, [visit(5)]);
  const person = { user: "ada", claimGuest: true };
  await Promise.all([one, other].map((page) => page.evaluate((options) => start(options), person)));
  for (const page of [one, other]) await drained(page);
  assert.deepEqual([...(await server.documents("visits")).keys()].sort(), ["visit-0000", "visit-0001", "visit-0002", "visit-0005"]);
  for (const { version } of (await server.documents("visits")).values()) assert.equal(version, 1);
  assert.equal((await databases(one)).length, 1);
  for (const page of [one, other]) {
    assert.equal(await page.evaluate(() => db.visits.where({}).all().then((rows) => rows.length)), 4);
  }
});

/** Runs in the page: the first transaction stays open until the page has heard that another tab gives the database up. */
function giveUpWhileOpening() {
  const { commit } = IDBTransaction.prototype;
  IDBTransaction.prototype.commit = function () {
    IDBTransaction.prototype.commit = commit;
    const { name } = this.db;
    let heard = false;
    // Heard after the database's own ear, which was there before.
    new BroadcastChannel(name).onmessage = () => (heard = true);
    new BroadcastChannel(name).postMessage("signed_out");
    const hold = () => {
      if (!heard) this.objectStore("meta").count().onsuccess = hold;
    };
    hold();
  };
}

test("a database that another tab gives up while it is being opened is opened anew", async (t) => {
  const { browser, proxy } = await world(t, { www: bare });
  const page = await openBare(browser, proxy.origin);
  await insert(page, visits(2));
  await drained(page);
  await page.evaluate(() => db.close());
  await page.evaluate(giveUpWhileOpening);
  await page.evaluate(() => {
    globalThis.db = undefined;
    void start({});
  });
  await opened(page);
  await insert(page, [visit(5)]);
  await drained(page);
  assert.equal(await page.evaluate(() => db.visits.where({}).all().then((rows) => rows.length)), 3);
});

test("the core calls the server for the app, and says why it could not", async (t) => {
  const { browser, proxy } = await world(t, { www: bare });
  const page = await openBare(browser, proxy.origin);
  await openCore(page);
  const request = (method, path, body) =>
    page.evaluate(([method, path, body]) => core.request(method, path, body).then(JSON.parse, (error) => error), [
      method, path, body,
    ]);
  const pulled = await request("GET", "/api/v1/sync/pull?limit=1");
  assert.equal(pulled.more, false);
  assert.equal((await request("GET", "/api/v1/sync/pull?cursor=x")).code, "invalid_cursor");
  const malformed = await request("POST", "/api/v1/sync/batch", "{");
  assert.equal(malformed.code, "malformed_json");
  assert.notEqual(malformed.message, malformed.code);
  // A token that ran out is asked for once more, and nobody sees.
  await proxy.rule("/api/v1/sync/pull", { kind: "status", code: 401, body: "" }, 1);
  assert.equal((await request("GET", "/api/v1/sync/pull?limit=1")).more, false);
  await proxy.rule("/api", { kind: "refuse" });
  assert.equal((await request("GET", "/api/v1/sync/pull")).code, "unreachable");
});
