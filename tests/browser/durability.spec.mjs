/** "Saved" means on the disk: the flush that browsers leave out unless they are asked for it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { journalDurabilities, watchJournal } from "./journal.mjs";
import { bare, openBare } from "./page.mjs";
import { WASM, WASM_PLANTED } from "./products.mjs";
import { insert, visits } from "./visits.mjs";
import { world } from "./world.mjs";

async function durabilitiesOf(t, core) {
  const { proxy, browser } = await world(t, { www: (directory) => bare(directory, core) });
  const page = await openBare(browser, proxy.origin, { prepare: watchJournal });
  await insert(page, visits(3));
  return journalDurabilities(page);
}

test("every commit of a write is flushed to the disk before it counts as saved", async (t) => {
  assert.deepEqual(await durabilitiesOf(t, WASM), ["strict"]);
});

test("a core that does not ask for the flush is caught", async (t) => {
  assert.deepEqual(await durabilitiesOf(t, WASM_PLANTED), ["relaxed"]);
});
