/** Two people in one visit without knowing of each other: what both wrote is there to see, and can be put back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drained, opened, openDemo, shellKept, synced, until } from "./page.mjs";
import { insert, onServer, read, update, visit } from "./visits.mjs";
import { world } from "./world.mjs";

const { id } = visit(1);

/** Ana and Ben, each in a browser of their own, with one visit that both have seen. */
async function together(t) {
  const { server, proxy, browser, another } = await world(t);
  const other = await another("profile of ben");
  const ana = await openDemo(browser, proxy.origin);
  await synced(ana);
  await insert(ana, [visit(1)]);
  await drained(ana);
  await watch(ana);
  const ben = await openDemo(other, proxy.origin, { user: "ben" });
  await synced(ben);
  await watch(ben);
  return { server, proxy, browser, ana, ben };
}

/** Both write without a network, Ben after Ana, and then have one again. */
async function apart({ proxy, ana, ben }, anas, bens) {
  await proxy.goOffline();
  await update(ana, id, anas);
  const written = await ana.evaluate(() => Date.now());
  await until(ben, (written) => Date.now() > written, written);
  await update(ben, id, bens);
  await proxy.goOnline();
  await Promise.all([drained(ana), drained(ben)]);
}

/** Keeps the visit as the page's live queries tell it. */
async function watch(page) {
  await page.evaluate((id) => {
    db.visits.where({}).subscribe((rows) => (globalThis.seen = rows.find((row) => row.id === id)));
  }, id);
}

/** Resolves once a page has been told all of these fields of the visit. Pages pull by themselves. */
async function told(page, fields) {
  await until(page, (fields) => Object.entries(fields).every(([key, value]) => globalThis.seen?.[key] === value), fields);
}

/** Opens the conflicts by the bar. */
async function conflicts(page) {
  await page.getByRole("navigation").getByRole("button", { name: "Conflicts" }).click();
  await page.getByRole("heading", { name: "Conflicts" }).waitFor();
  return page.locator("landfall-conflicts");
}

/** What stands on the two sides of the only conflict: whose, what, and whether it stands. */
async function sides(list) {
  await list.locator("li[data-conflict]").waitFor();
  return list.locator("[data-side]").evaluateAll((sides) =>
    sides.map((side) => ({
      whose: side.querySelector(".whose").textContent,
      value: side.querySelector(".value").textContent,
      stands: side.dataset.stands === "true",
    })),
  );
}

test("two who fill in different fields of one visit are both there, and disagree about nothing", async (t) => {
  const parts = await together(t);
  const { server, ana, ben } = parts;
  await apart(parts, { rating: 4 }, { notes: "ladder needed" });
  for (const page of [ana, ben]) {
    await told(page, { rating: 4, notes: "ladder needed" });
    assert.deepEqual(await page.evaluate(() => db.conflicts.list()), []);
  }
  const { rating, notes: stored } = (await onServer(server))[id];
  assert.deepEqual({ rating, stored }, { rating: 4, stored: "ladder needed" });
});

test("of two who change the same field the later wins, both see it, and a third puts the other back", async (t) => {
  const parts = await together(t);
  const { server, proxy, browser, ana, ben } = parts;
  await apart(parts, { notes: "roof ok" }, { notes: "roof leaks" });
  for (const page of [ana, ben]) {
    await told(page, { notes: "roof leaks" });
    await page.getByRole("navigation").getByText("1", { exact: true }).waitFor();
    // A page that loaded again would have forgotten this.
    await page.evaluate(() => (globalThis.stayed = true));
  }
  const seen = await conflicts(ana);
  assert.deepEqual(await sides(seen), [
    { whose: "Yours", value: "roof ok", stands: false },
    { whose: "Theirs", value: "roof leaks", stands: true },
  ]);
  await seen.getByText("Ben").waitFor();
  assert.deepEqual(await sides(await conflicts(ben)), [
    { whose: "Yours", value: "roof leaks", stands: true },
    { whose: "Theirs", value: "roof ok", stands: false },
  ]);

  const clara = await openDemo(browser, proxy.origin, { user: "clara" });
  await synced(clara);
  await watch(clara);
  const list = await conflicts(clara);
  assert.deepEqual(await sides(list), [
    { whose: "Ben", value: "roof leaks", stands: true },
    { whose: "Ana", value: "roof ok", stands: false },
  ]);
  await list.getByRole("button", { name: "Put back" }).click();
  await list.getByRole("status").getByText("It is put back.").waitFor();
  await told(clara, { notes: "roof ok" });

  for (const page of [ana, ben]) {
    await told(page, { notes: "roof ok" });
    await page.locator("landfall-conflicts").getByText("Settled (1)").click();
    await page.locator("landfall-conflicts").getByText("Settled by Clara").waitFor();
    assert.equal(await page.evaluate(() => globalThis.stayed), true, "nobody had to load the page again");
    assert.equal((await read(page, id)).notes, "roof ok");
  }
  assert.equal((await onServer(server))[id].notes, "roof ok");
});

test("without a network the list stays, and a decision says what it needs", async (t) => {
  const parts = await together(t);
  const { proxy, ben } = parts;
  await apart(parts, { notes: "roof ok" }, { notes: "roof leaks" });
  const list = await conflicts(ben);
  await list.locator("li[data-conflict]").waitFor();
  await proxy.goOffline();
  await until(ben, () => !db.sync.state.online || db.sync.state.phase === "offline" || db.sync.state.nextTryAt !== null);
  assert.equal((await sides(list)).length, 2);
  const code = await ben.evaluate(async () => {
    const [conflict] = await new Promise((resolve) => db.conflicts.subscribe((known) => known.length > 0 && resolve(known)));
    return db.conflicts.resolve(conflict.id, "theirs").then(() => "resolved", (error) => `${error.code}: ${error.message}`);
  });
  assert.match(code, /^unreachable: .*connect, then choose again/);
  await told(ben, { notes: "roof leaks" });
});

test("the list that the server gave last is there after a reload without a network", async (t) => {
  const parts = await together(t);
  const { proxy, ben } = parts;
  await apart(parts, { notes: "roof ok" }, { notes: "roof leaks" });
  await (await conflicts(ben)).locator("li[data-conflict]").waitFor();
  await shellKept(ben);
  await proxy.goOffline();
  await ben.reload();
  await opened(ben);
  assert.deepEqual(await sides(await conflicts(ben)), [
    { whose: "Yours", value: "roof leaks", stands: true },
    { whose: "Theirs", value: "roof ok", stands: false },
  ]);
  const said = await ben.evaluate(async () => {
    const [{ id }] = await new Promise((resolve) => db.conflicts.subscribe((known) => known.length > 0 && resolve(known)));
    return db.conflicts.resolve(id, "theirs").then(() => "resolved", (error) => `${error.code}: ${error.message}`);
  });
  assert.equal(said, "unreachable: a conflict is settled on the server: connect, then choose again");

  await proxy.goOnline();
  await until(ben, () => db.sync.state.phase === "idle");
  await ben.evaluate(async () => db.conflicts.resolve((await db.conflicts.list())[0].id, "theirs"));
  await watch(ben);
  await told(ben, { notes: "roof ok" });
});
