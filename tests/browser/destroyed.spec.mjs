/** Deleting a database takes it from every tab and leaves nothing on the device; calls of the server carry the token. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bare, openBare, openCore } from "./page.mjs";
import { insert, visits } from "./visits.mjs";
import { world } from "./world.mjs";

/** The code that a call of the page's database is refused with. */
const codeOf = (page, call) => page.evaluate(`(${call})().then(() => null, ({ code }) => code)`);

test("a database that one tab deletes is gone in all of them, and can be made anew", async (t) => {
  const { browser, proxy } = await world(t, { www: bare });
  const [one, other] = [await openBare(browser, proxy.origin), await openBare(browser, proxy.origin)];
  await proxy.rule("/api", { kind: "refuse" });
  await insert(one, visits(3));
  await openCore(other);
  await other.evaluate(() => core.destroy());

  for (const page of [one, other]) {
    assert.equal(await codeOf(page, () => db.visits.get("visit-0001")), "signed_out");
    assert.equal(await codeOf(page, () => db.visits.insert({ site: "A1" })), "signed_out");
  }
  assert.deepEqual(await one.evaluate(() => indexedDB.databases()), []);
  await one.evaluate(() => start({}));
  assert.equal(await one.evaluate(() => db.visits.where({}).all().then((rows) => rows.length)), 0);
  await insert(one, visits(1));
  assert.equal(await one.evaluate(() => db.sync.state.pending), 1);
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
