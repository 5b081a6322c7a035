/** Forms and lists under careless hands: nothing half typed is lost, and what was deleted comes back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drained, opened, openDemo, synced } from "./page.mjs";
import { insert, onServer, read, shown, visit } from "./visits.mjs";
import { world } from "./world.mjs";

async function newVisit(page) {
  await page.getByRole("button", { name: "New visit" }).click();
  const form = page.getByRole("dialog", { name: "New visit" });
  await form.waitFor();
  return form;
}

test("a half-typed visit outlives Escape, a press beside the sheet and a reload", async (t) => {
  const { proxy, browser } = await world(t);
  const page = await openDemo(browser, proxy.origin);
  await synced(page);

  let form = await newVisit(page);
  await form.getByLabel("Name").fill("North pumping station");
  await form.getByLabel("Notes").fill("The gate was");
  await page.keyboard.press("Escape");
  await form.waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "Continue" }).click();
  form = page.getByRole("dialog", { name: "New visit" });
  assert.equal(await form.getByLabel("Notes").inputValue(), "The gate was");

  await form.getByLabel("Notes").fill("The gate was open");
  await page.mouse.click(5, 5);
  await form.waitFor({ state: "hidden" });
  await page.reload();
  await opened(page);
  form = await newVisit(page);
  await form.getByText("Continued from where you left off.").waitFor();
  assert.equal(await form.getByLabel("Name").inputValue(), "North pumping station");
  assert.equal(await form.getByLabel("Notes").inputValue(), "The gate was open");

  await form.getByRole("button", { name: "Save" }).click();
  await form.waitFor({ state: "hidden" });
  await shown(page, 1, "saved", "sending", "accepted");
  // What is saved is no draft any more.
  form = await newVisit(page);
  assert.equal(await form.getByLabel("Notes").inputValue(), "");
});

test("a draft that is thrown away is gone, and an untouched form leaves none", async (t) => {
  const { proxy, browser } = await world(t);
  const page = await openDemo(browser, proxy.origin);
  let form = await newVisit(page);
  await form.getByLabel("Notes").fill("nonsense");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Throw away" }).click();
  form = await newVisit(page);
  assert.equal(await form.getByLabel("Notes").inputValue(), "");
  await page.keyboard.press("Escape");
  await form.waitFor({ state: "hidden" });
  assert.equal(await page.getByText("kept as a draft").count(), 0);
});

for (const when of ["before", "after"]) {
  test(`a delete that is undone ${when} it was sent leaves the visit as it was`, async (t) => {
    const { server, proxy, browser } = await world(t);
    const page = await openDemo(browser, proxy.origin);
    await synced(page);
    await insert(page, [visit(1)]);
    await drained(page);
    const before = await read(page, visit(1).id);
    const offline = page.getByRole("switch", { name: "Work offline" });
    if (when === "before") await offline.click();

    await page.locator("li[data-visit] button").click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await shown(page, 0);
    if (when === "after") await drained(page);
    await page.getByRole("button", { name: "Undo" }).click();
    await shown(page, 1, "saved", "sending", "accepted", "paused");
    assert.deepEqual(await read(page, visit(1).id), before);

    if (when === "before") await offline.click();
    await drained(page);
    await shown(page, 1, "accepted");
    assert.deepEqual(await read(page, visit(1).id), before);
    const { version, ...stored } = (await onServer(server))[visit(1).id];
    assert.deepEqual({ id: visit(1).id, ...stored }, before);
  });
}

test("a search finds by site, notes and people, whatever the accents", async (t) => {
  const { proxy, browser } = await world(t);
  const page = await openDemo(browser, proxy.origin);
  await page.evaluate(() => db.sites.insert({ name: "Café Übersee" }, { id: "cafe" }));
  await insert(page, [visit(1, { site: "cafe" }), visit(2, { notes: "Leak at the valve" }), visit(3, { inspector: "Ben" })]);
  const search = page.getByLabel("Search visits");
  for (const [text, id] of [["ubersee CAFE", 1], ["valve leak", 2], ["ben", 3]]) {
    await search.fill(text);
    await shown(page, 1, "saved", "sending", "accepted");
    assert.equal(await page.locator("li[data-visit]").getAttribute("data-visit"), visit(id).id);
  }
  await search.fill("nowhere");
  await page.getByRole("button", { name: "Show all visits" }).click();
  await shown(page, 3, "saved", "sending", "accepted");
});
