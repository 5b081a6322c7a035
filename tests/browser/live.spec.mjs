/** Hints: what others wrote arrives when they write it, over one stream for all tabs of a database. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bare, openBare, synced, until } from "./page.mjs";
import { insert, visit } from "./visits.mjs";
import { world } from "./world.mjs";

const LIVE = "/api/v1/sync/live";
/** Less than a device that is told of everything waits between two pulls. */
const BEFORE_THE_NEXT_POLL_MS = 25_000;

test("what another device writes is shown without asking for it, and all tabs share one stream", async (t) => {
  const { browser, proxy } = await world(t, { www: bare });
  const tabs = [];
  for (let n = 0; n < 4; n += 1) tabs.push(await openBare(browser, proxy.origin));
  const colleague = await openBare(browser, proxy.origin, { options: { name: "another device" } });
  for (const tab of [...tabs, colleague]) await synced(tab);
  await proxy.until({ path: LIVE }, 2);
  for (let n = 0; n < 3; n += 1) {
    await insert(colleague, [visit(n)]);
    for (const tab of tabs) {
      await until(tab, async (id) => (await db.visits.get(id)) !== undefined, visit(n).id, BEFORE_THE_NEXT_POLL_MS);
    }
  }
  assert.equal((await proxy.log({ path: LIVE })).length, 2);
});
