/** The browser takes the storage away: what can be mended is mended unseen, and what cannot is said by its code. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bare, drained, openBare, until } from "./page.mjs";
import { expected, insert, onServer, read, visit, visits } from "./visits.mjs";
import { world } from "./world.mjs";

const VISITS = 20;

/** The code that a promise of the page is rejected with; `null` where it is kept. */
const codeOf = (page, call, argument) =>
  page.evaluate(`(${call})(${JSON.stringify(argument)}).then(() => null, ({ code }) => code)`);

/** What a connection serves before it is gone: more than are ever under way at once, so that one more try is enough. */
const LIFE = 5;

/** Every connection is closed before its last transaction, as iOS does in the background. */
function close(life) {
  const begin = IDBDatabase.prototype.transaction;
  globalThis.cuts = 0;
  IDBDatabase.prototype.transaction = function (...options) {
    this.served = (this.served ?? 0) + 1;
    if (this.served > life) {
      globalThis.cuts += 1;
      this.close();
    }
    return begin.apply(this, options);
  };
}

/** Every connection aborts its last transaction after the requests were made, for a reason that it does not give. */
function abort(life) {
  const begin = IDBDatabase.prototype.transaction;
  globalThis.cuts = 0;
  IDBDatabase.prototype.transaction = function (...options) {
    const transaction = begin.apply(this, options);
    this.served = (this.served ?? 0) + 1;
    if (this.served > life) {
      globalThis.cuts += 1;
      transaction.commit = () => transaction.abort();
    }
    return transaction;
  };
}

/**
 * Every other connection is gone with its last transaction, whose end nobody is told: lost, or let go of because another
 * tab wants another version. What is tried again outlives that.
 */
function strand({ life, lost }) {
  const begin = IDBDatabase.prototype.transaction;
  globalThis.cuts = 0;
  let connections = 0;
  IDBDatabase.prototype.transaction = function (...options) {
    this.number ??= connections++;
    this.served = (this.served ?? 0) + 1;
    if (this.number % 2 === 1 && this.served > 3 * life) this.close();
    const transaction = begin.apply(this, options);
    if (this.number % 2 === 0 && this.served === life + 1) {
      globalThis.cuts += 1;
      const abort = transaction.abort.bind(transaction);
      for (const name of ["oncomplete", "onabort"]) Object.defineProperty(transaction, name, { set() {} });
      transaction.commit = abort;
      if (lost) {
        transaction.addEventListener("abort", () => this.dispatchEvent(new Event("close")));
      } else {
        transaction.abort = () => {};
        const change = new IDBVersionChangeEvent("versionchange", { oldVersion: 1, newVersion: 2 });
        setTimeout(() => this.dispatchEvent(change));
      }
    }
    return transaction;
  };
}

for (const [how, prepare, argument, least] of [
  ["is closed before a transaction", close, LIFE, VISITS / LIFE],
  ["aborts a transaction", abort, LIFE, VISITS / LIFE],
  ["is lost and does not end a transaction", strand, { life: LIFE, lost: true }, 2],
  ["is let go of and does not end a transaction", strand, { life: LIFE, lost: false }, 2],
]) {
  test(`a connection that ${how} is made anew, and nobody notices`, async (t) => {
    const { server, proxy, browser } = await world(t, { www: bare });
    const page = await browser.page();
    await page.addInitScript(prepare, argument);
    await page.goto(`${proxy.origin}/`);
    await page.evaluate(() => start({}));
    for (const row of visits(VISITS)) await insert(page, [row]);
    await page.evaluate((id) => db.visits.update(id, { notes: "mended" }), visit(1).id);
    await drained(page);
    const rows = visits(VISITS).map((row, n) => (n === 1 ? { ...row, notes: "mended" } : row));
    assert.deepEqual(await onServer(server), expected(rows, (n) => (n === 1 ? 2 : 1)));
    const cuts = await page.evaluate(() => globalThis.cuts);
    assert.ok(cuts >= least, `${cuts} cuts`);
  });
}

test("while the storage cannot be opened writes are refused by code, and when it can they are saved without a reload", async (t) => {
  const { server, proxy, browser } = await world(t, { www: bare });
  const page = await openBare(browser, proxy.origin, {
    prepare: () => {
      const { open } = IDBFactory.prototype;
      IDBFactory.prototype.open = function (...options) {
        if (globalThis.broken) throw new DOMException("Internal error opening backing store.", "UnknownError");
        return open.apply(this, options);
      };
    },
  });
  await insert(page, [visit(1)]);
  await page.evaluate(() => {
    globalThis.broken = true;
    const begin = IDBDatabase.prototype.transaction;
    IDBDatabase.prototype.transaction = function (...options) {
      if (globalThis.broken) this.close();
      return begin.apply(this, options);
    };
  });
  assert.equal(await codeOf(page, (row) => db.visits.insert(row), { site: "A1" }), "storage_unavailable");
  assert.equal(await codeOf(page, () => db.visits.where({}).all()), "storage_unavailable");
  assert.equal((await read(page, visit(1).id)).notes, visit(1).notes);
  await page.evaluate(() => (globalThis.broken = false));
  await insert(page, [visit(2)]);
  await page.evaluate(() => db.sync.now());
  await drained(page);
  assert.deepEqual(Object.keys(await onServer(server)), [visit(1).id, visit(2).id]);
});

test("an open that never settles ends in a typed error within 25 seconds, and the second try counts", async (t) => {
  const { proxy, browser } = await world(t, { www: bare });
  const prepare = () => {
    const { open } = IDBFactory.prototype;
    IDBFactory.prototype.open = function (...options) {
      if (globalThis.ignored === globalThis.deaf) return open.apply(this, options);
      globalThis.ignored += 1;
      // A request that nobody answers.
      return Object.create(IDBOpenDBRequest.prototype, {
        onsuccess: { writable: true },
        onerror: { writable: true },
        onupgradeneeded: { writable: true },
      });
    };
  };
  const page = await browser.page();
  await page.clock.install();
  await page.addInitScript(prepare);
  await page.goto(`${proxy.origin}/`);
  /** What opening comes to, and after how long by the page's clock. */
  const opening = async (deaf, ignored) => {
    const result = page.evaluate(async (deaf) => {
      Object.assign(globalThis, { deaf, ignored: 0 });
      const from = Date.now();
      const code = await start({}).then(() => null, ({ code }) => code);
      return [code, Date.now() - from];
    }, deaf);
    for (let count = 1; count <= ignored; count += 1) {
      await until(page, (count) => globalThis.ignored === count, count);
      await page.clock.fastForward(10_000);
    }
    return result;
  };
  assert.equal((await opening(1, 1))[0], null);
  await page.evaluate(() => db.close());
  const [code, millis] = await opening(Infinity, 2);
  assert.equal(code, "storage_unavailable");
  assert.ok(millis <= 25_000, `${millis} ms`);
});

test("without IndexedDB the open says so", async (t) => {
  const { proxy, browser } = await world(t, { www: bare });
  const page = await browser.page();
  await page.addInitScript(() => Object.defineProperty(globalThis, "indexedDB", { get: () => undefined }));
  await page.goto(`${proxy.origin}/`);
  assert.equal(await codeOf(page, () => start({})), "storage_unavailable");
});
