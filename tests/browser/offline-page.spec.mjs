/** The page as a person uses it: every visit says where it is, and no network is needed to look. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drained, opened, openDemo, shellKept, synced } from "./page.mjs";
import { BATCH } from "./proxy.mjs";
import { insert, onServer, shown, statuses, visit } from "./visits.mjs";
import { world } from "./world.mjs";

/** Fills the form in as a person does. */
async function addVisit(page, { site, notes }) {
  await page.getByRole("button", { name: "New visit" }).click();
  const form = page.getByRole("dialog", { name: "New visit" });
  await form.getByLabel("Site", { exact: true }).selectOption({ label: "A new site…" });
  await form.getByLabel("Name").fill(site);
  await form.getByLabel("Notes").fill(notes);
  await form.getByRole("button", { name: "Save" }).click();
  await form.waitFor({ state: "hidden" });
}

test("the page shows a status on every row", async (t) => {
  const { proxy, browser } = await world(t);
  const page = await openDemo(browser, proxy.origin);
  await synced(page);
  await insert(page, [visit(1), visit(2)]);
  await drained(page);
  await shown(page, 2, "accepted");

  await proxy.rule(BATCH, { kind: "hold", at: "request" }, 1);
  await insert(page, [visit(3)]);
  await proxy.until({ path: BATCH, stage: "held" });
  await insert(page, [visit(4)]);
  await shown(page, 4, "accepted", "sending", "saved");
  const ids = [visit(1), visit(2), visit(3), visit(4)].map(({ id }) => id);
  const status = await statuses(page);
  assert.deepEqual(ids.map((id) => status.get(id)), ["accepted", "accepted", "sending", "saved"]);
  const words = await page.locator("li[data-visit] .sync").allInnerTexts();
  assert.deepEqual(words.map((word) => word.trim()).sort(), ["accepted", "accepted", "saved here", "sending"]);

  await proxy.release();
  await shown(page, 4, "accepted");
});

test("reload works offline, and what the form saved is still there", async (t) => {
  const { server, proxy, browser } = await world(t);
  const page = await openDemo(browser, proxy.origin);
  await synced(page);
  await shellKept(page);
  await page.getByRole("switch", { name: "Work offline" }).click();
  await addVisit(page, { site: "North pumping station", notes: "roof ok" });
  await shown(page, 1, "saved", "paused");

  await proxy.goOffline();
  await page.reload();
  await opened(page);
  await shown(page, 1, "saved", "paused");
  await page.getByRole("button", { name: "North pumping station" }).waitFor();
  assert.equal(await page.getByRole("switch", { name: "Work offline" }).getAttribute("aria-checked"), "true");
  assert.deepEqual(await onServer(server), {});

  await proxy.goOnline();
  await page.getByRole("switch", { name: "Work offline" }).click();
  await drained(page);
  await shown(page, 1, "accepted");
  const stored = Object.values(await onServer(server));
  assert.deepEqual(stored.map(({ notes, version }) => [notes, version]), [["roof ok", 1]]);
  assert.equal((await server.documents("sites")).size, 1);
});
