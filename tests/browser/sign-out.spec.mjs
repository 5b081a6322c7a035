/** Signing in and out in the demo: a guest's visits come along, and nothing unsent goes without a question. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drained, openDemo, opened, until } from "./page.mjs";
import { world } from "./world.mjs";

const button = (page, name) => page.getByRole("button", { name });
const dialog = (page, name) => page.getByRole("dialog", { name });

async function signIn(page, name) {
  await button(page, "Sign in").first().click();
  await dialog(page, "Sign in").getByRole("button", { name }).click();
  await until(page, (name) => document.querySelector("header")?.textContent.includes(name) && globalThis.db, name);
}

test("a guest's visit is Ana's once she signs in, and after she signs out the next person sees nothing of it", async (t) => {
  const { browser, proxy, server } = await world(t);
  const page = await openDemo(browser, proxy.origin, { user: null });
  await page.evaluate(() => db.visits.insert({ site: "a", inspector: "Ana", dueAt: "2031-01-01", notes: "as a guest" }));
  assert.equal((await server.documents("visits")).size, 0);
  await signIn(page, "Ana");
  await page.getByText("1 change from before you signed in came along, Ana.").waitFor();
  await drained(page);
  const [visit] = [...(await server.documents("visits")).values()];
  assert.equal(visit.data.notes, "as a guest");

  await proxy.rule("/api", { kind: "refuse" });
  await page.evaluate(() => db.visits.insert({ site: "a", inspector: "Ana", dueAt: "2031-01-02", notes: "unsent" }));
  await button(page, "Signed in as Ana").click();
  await dialog(page, "Ana").getByRole("button", { name: "Sign out" }).click();
  await dialog(page, "Ana").getByText("1 change is not on the server yet").waitFor();
  await button(page, "Stay signed in").click();
  await button(page, "Close").click();
  await proxy.clear("/api");
  await page.evaluate(() => db.sync.now());
  await drained(page);
  await button(page, "Signed in as Ana").click();
  await dialog(page, "Ana").getByRole("button", { name: "Sign out" }).click();
  await page.getByText("Guest", { exact: true }).waitFor();
  await opened(page);
  assert.equal(await page.evaluate(() => db.visits.where({}).all().then((rows) => rows.length)), 0);
  const names = await page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name));
  assert.deepEqual(names.filter((name) => name.includes("ana")), []);
  assert.equal((await server.documents("visits")).size, 2);
});
