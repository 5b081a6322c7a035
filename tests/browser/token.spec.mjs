/** Whose writes they are: a token that runs out costs one question, and nobody sends or sees another's writes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bare, drained, openBare, synced, until } from "./page.mjs";
import { BATCH } from "./proxy.mjs";
import { expected, insert, onServer, visit, visits } from "./visits.mjs";
import { world } from "./world.mjs";

/** Three batches. */
const VISITS = 250;
/** Long enough for the first batch. */
const TTL_SECONDS = 3;

/** Every question for a token waits in `asked` until the test answers it. */
function askTheTest() {
  globalThis.asked = [];
  globalThis.questions = 0;
  Object.defineProperty(globalThis, "auth", {
    get: () => () => {
      globalThis.questions += 1;
      return new Promise((answer) => globalThis.asked.push(answer));
    },
    set: () => {},
  });
}

async function answer(page, token) {
  await until(page, () => globalThis.asked.length > 0);
  await page.evaluate((token) => globalThis.asked.shift()(token), token);
}

/** Resolves once the server takes the token no more. */
async function expired({ origin }, token) {
  const headers = { authorization: `Bearer ${token}` };
  while ((await fetch(`${origin}/api/v1/sync/pull?limit=1`, { headers })).status === 200);
}

test("a token that runs out in the middle of a drain pauses it, is asked for once, and nothing is lost", async (t) => {
  const { server, proxy, browser } = await world(t, { www: bare });
  const page = await openBare(browser, proxy.origin, { prepare: askTheTest });
  await answer(page, server.token());
  await synced(page);
  await proxy.rule("/api", { kind: "refuse" });
  await insert(page, visits(VISITS));
  // One that runs out: the page has to be opened anew to ask for it.
  await page.reload();
  await page.evaluate(() => globalThis.start({}));
  const token = server.token("ada", TTL_SECONDS);
  await answer(page, token);
  await proxy.rule(BATCH, { kind: "pass" }, 1);
  await proxy.rule(BATCH, { kind: "hold", at: "request" }, 1);
  await proxy.clear("/api");
  await proxy.until({ path: BATCH, stage: "held" });
  await expired(server, token);
  await proxy.release();
  await until(page, () => globalThis.questions === 2 && db.sync.state.phase === "paused");
  assert.equal(await page.evaluate(() => db.sync.state.pending), VISITS - 100);
  await answer(page, server.token());
  await drained(page);

  assert.equal(await page.evaluate(() => globalThis.questions), 2);
  const pushed = (await proxy.batches()).filter(({ status }) => status !== null);
  assert.deepEqual(pushed.map(({ status }) => status), [200, 401, 200, 200]);
  assert.deepEqual(await onServer(server), expected(visits(VISITS)));
});

test("another user of the same browser neither sees nor sends what the first one wrote", async (t) => {
  const { server, proxy, browser } = await world(t, { www: bare });
  const [mine, theirs] = [visits(5), [visit(7), visit(8)]];
  const ada = await openBare(browser, proxy.origin);
  await synced(ada);
  await proxy.rule("/api", { kind: "refuse" });
  await insert(ada, mine);
  await ada.close();

  const ben = await openBare(browser, proxy.origin, { options: { user: "ben" } });
  assert.deepEqual(await ben.evaluate(() => db.visits.where({}).all()), []);
  assert.deepEqual(await ben.evaluate(() => db.outbox.list()), []);
  assert.equal((await ben.evaluate(() => indexedDB.databases())).length, 2);
  await insert(ben, theirs);
  await proxy.clear("/api");
  await drained(ben);
  assert.deepEqual(await onServer(server), expected(theirs));
  await ben.close();

  const again = await openBare(browser, proxy.origin);
  await drained(again);
  assert.deepEqual(await onServer(server), expected([...mine, ...theirs]));
  // The server takes nothing from anybody but the user that a batch names.
  const sent = (await proxy.batches()).filter(({ status }) => status === 200);
  const by = (name) => sent.filter(({ user }) => user === name).flatMap(({ mutations }) => mutations);
  assert.deepEqual(by("ada").map(({ document }) => document).sort(), mine.map(({ id }) => id));
  assert.deepEqual(by("ben").map(({ document }) => document).sort(), theirs.map(({ id }) => id));
});
