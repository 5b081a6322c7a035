/** A visit that the server refused: its form opens with what was refused, and what is saved there replaces it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drained, openDemo, synced } from "./page.mjs";
import { insert, onServer, outbox, read, shown, update, visit } from "./visits.mjs";
import { world } from "./world.mjs";

const WORDS = "Write a note before you mark a visit as done.";

async function openRefused(page) {
  await page.getByRole("button", { name: "Outbox" }).click();
  await page.locator('landfall-outbox [data-status="needs_attention"]').getByRole("button", { name: "Edit" }).click();
  const form = page.getByRole("dialog", { name: "Edit refused visit" });
  await form.getByText(WORDS).waitFor();
  return form;
}

test("a refused visit is mended in its form and accepted", async (t) => {
  const { server, proxy, browser } = await world(t);
  const page = await openDemo(browser, proxy.origin);
  await synced(page);
  await insert(page, [visit(1, { status: "done", rating: 2, notes: "" })]);
  await shown(page, 1, "needs_attention");

  const form = await openRefused(page);
  assert.equal(await form.getByRole("radio", { name: "Done" }).isChecked(), true);
  assert.equal(await form.getByRole("radio", { name: "2" }).isChecked(), true);
  await form.getByLabel("Notes").fill("Gutter cleared.");
  await form.getByRole("button", { name: "Save" }).click();
  await form.waitFor({ state: "hidden" });
  await drained(page);
  await shown(page, 1, "accepted");
  assert.deepEqual(await outbox(page), []);
  const { status, notes, rating, version } = (await onServer(server))[visit(1).id];
  assert.deepEqual({ status, notes, rating, version }, { status: "done", notes: "Gutter cleared.", rating: 2, version: 1 });
});

test("a refused change shows what was refused, although the visit shows what the server has", async (t) => {
  const { server, proxy, browser } = await world(t);
  const page = await openDemo(browser, proxy.origin);
  await synced(page);
  await insert(page, [visit(1)]);
  await drained(page);
  await update(page, visit(1).id, { status: "done", notes: "", rating: 5 });
  await shown(page, 1, "needs_attention");
  assert.equal((await read(page, visit(1).id)).status, "planned");

  const form = await openRefused(page);
  assert.equal(await form.getByRole("radio", { name: "Done" }).isChecked(), true);
  assert.equal(await form.getByRole("radio", { name: "5" }).isChecked(), true);
  // A slip of the thumb costs nothing here either.
  await form.getByLabel("Notes").fill("All dry.");
  await page.keyboard.press("Escape");
  await form.waitFor({ state: "hidden" });
  await openRefused(page);
  assert.equal(await form.getByLabel("Notes").inputValue(), "All dry.");
  await form.getByRole("button", { name: "Save" }).click();
  await form.waitFor({ state: "hidden" });
  await drained(page);
  const { status, notes, rating } = (await onServer(server))[visit(1).id];
  assert.deepEqual({ status, notes, rating }, { status: "done", notes: "All dry.", rating: 5 });
});

test("a refused change that is discarded leaves what the server has", async (t) => {
  const { proxy, browser } = await world(t);
  const page = await openDemo(browser, proxy.origin);
  await synced(page);
  await insert(page, [visit(1)]);
  await drained(page);
  await update(page, visit(1).id, { status: "done", notes: "" });
  await shown(page, 1, "needs_attention");
  await page.getByRole("button", { name: "Outbox" }).click();
  await page.getByRole("button", { name: "Discard" }).click();
  await page.getByRole("button", { name: "Really discard?" }).click();
  await shown(page, 1, "accepted");
  const { status, notes } = await read(page, visit(1).id);
  assert.deepEqual({ status, notes }, { status: "planned", notes: "visit 1" });
});
