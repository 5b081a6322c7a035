/** The three elements in a real page, in every state that a person can meet. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { accessible, elements, HTML, MAIN } from "./elements.mjs";
import { fixture } from "./fixture.mjs";

const shared = fixture({ files: { "index.html": HTML, "main.js": MAIN } });

const HOUR = 3_600_000;
const STATUS = {
  calm: {},
  offline: { phase: "offline", online: false, pending: 3, nextTryAt: 0 },
  sending: { phase: "pushing", pending: 40, progress: { done: 60, total: 100, bytes: 9 } },
  "signed out": { phase: "paused", reason: "signed_out", pending: 2 },
  "first sync": { phase: "first_sync", progress: { done: 1_200, total: 0, bytes: 9 } },
  attention: { failed: 2, pending: 1, phase: "offline", online: false },
  warned: { damaged: 1, clockSkewMs: 2 * HOUR, failed: 1, storage: { persisted: false, evicted: true, usage: 9, quota: 10 } },
};
const REFUSED = { status: "needs_attention", code: "validation_failed", message: "Write a note first." };
const ITEMS = [
  { document: "a" },
  { document: "b", status: "sending" },
  { document: "c", status: "waiting", because: "w:a" },
  { document: "d", attempts: 2 },
  { document: "e", status: "paused" },
  { document: "f", ...REFUSED },
  { document: "g", status: "needs_attention", code: "suspect" },
  { document: "h", discarding: true },
];
const SETTLED = { id: "c2", path: "/done", resolved: { by: "cy", at: 0 } };

const outbox = (page) => page.locator("landfall-outbox");
const row = (page, document) => outbox(page).locator(`li[data-document="${document}"]`);
const button = (place, name) => place.getByRole("button", { name, exact: true });
const calls = (page) => page.evaluate(() => globalThis.calls);

test("axe has nothing against any state, in the light and in the dark", async (t) => {
  const page = await elements(t, shared);
  for (const [state, told] of Object.entries(STATUS)) {
    await page.evaluate((told) => (show("status", { href: "#outbox" }), tellSync(told)), told);
    await page.clock.runFor(2_000);
    await accessible(page, `status, ${state}`);
  }
  for (const [state, told] of Object.entries({ empty: [], full: ITEMS })) {
    await page.evaluate((told) => (show("outbox", { editable: "" }), tellItems(told)), told);
    await accessible(page, `outbox, ${state}`);
  }
  for (const [state, told] of Object.entries({ none: [], some: [{}, SETTLED] })) {
    for (const sync of [STATUS.calm, STATUS.offline]) {
      await page.evaluate(([told, sync]) => (show("conflicts"), tellConflicts(told), tellSync(sync)), [told, sync]);
      await accessible(page, `conflicts, ${state}`);
    }
  }
});

test("whatever happens, what stands below the status does not move", async (t) => {
  const page = await elements(t, shared);
  await page.setViewportSize({ width: 360, height: 700 });
  const heights = new Set();
  for (const [state, told] of Object.entries(STATUS)) {
    if (state === "warned") continue;
    await page.evaluate((told) => (show("status", { href: "#outbox" }), tellSync(told)), told);
    await page.clock.runFor(2_000);
    heights.add((await page.locator("landfall-status").boundingBox()).height);
  }
  assert.equal(heights.size, 1, `heights: ${[...heights]}`);
});

test("a sentence is said once it has stood, and seconds are never read aloud", async (t) => {
  const page = await elements(t, shared);
  await page.evaluate(() => {
    globalThis.show("status");
    globalThis.said = [];
  });
  await page.getByRole("status").getByText("Everything is on the server").waitFor();
  await page.evaluate(() => {
    const region = document.querySelector("landfall-status").shadowRoot.querySelector("[role=status]");
    const note = () => globalThis.said.push(region.textContent);
    new MutationObserver(note).observe(region, { childList: true, characterData: true, subtree: true });
  });
  // A write that goes through at once.
  for (const told of [{ pending: 1 }, STATUS.sending, {}]) await page.evaluate((told) => tellSync(told), told);
  await page.clock.runFor(5_000);
  assert.deepEqual(await page.evaluate(() => globalThis.said), []);
  // One that has to wait, with a countdown.
  await page.evaluate(() => tellSync({ phase: "offline", online: false, pending: 1, nextTryAt: Date.now() + 9_000 }));
  await page.getByText("Next try in 9 s").waitFor();
  await page.clock.runFor(4_000);
  await page.getByText("Next try in 5 s").waitFor();
  assert.deepEqual(await page.evaluate(() => globalThis.said), ["1 change saved here, waiting for the network"]);
});

test("the bar is there for what takes longer than a second, and says how far it has come", async (t) => {
  const page = await elements(t, shared);
  await page.evaluate(() => show("status"));
  const bar = page.getByRole("progressbar");
  await page.evaluate((told) => tellSync(told), STATUS.sending);
  await page.getByText("60 of 100").waitFor();
  await page.clock.runFor(900);
  assert.equal(await bar.count(), 0);
  await page.clock.runFor(200);
  assert.equal(await bar.getAttribute("value"), "60");
  assert.equal(await bar.getAttribute("aria-label"), "Sending 100 changes…");
  await page.evaluate(() => tellSync({}));
  await bar.waitFor({ state: "detached" });
});

test("a link leads to what needs attention, if the app says where that is", async (t) => {
  const page = await elements(t, shared);
  await page.evaluate((told) => (show("status", { href: "#outbox" }), tellSync(told)), STATUS.attention);
  await page.getByRole("link", { name: "Show" }).click();
  assert.equal(new URL(page.url()).hash, "#outbox");
  await page.evaluate(() => tellSync({}));
  await page.getByRole("link").waitFor({ state: "hidden" });
  await page.evaluate((told) => (show("status"), tellSync(told)), STATUS.attention);
  await page.getByText("2 changes need attention").first().waitFor();
  assert.equal(await page.getByRole("link").count(), 0);
});

test("what needs attention comes first, with the server's words and buttons as large as a thumb", async (t) => {
  const page = await elements(t, shared);
  await page.setViewportSize({ width: 360, height: 700 });
  await page.evaluate((told) => (show("outbox"), tellItems(told)), ITEMS);
  const documents = outbox(page).locator("li").evaluateAll((rows) => rows.map(({ dataset }) => dataset.document));
  assert.deepEqual(await documents, ["f", "g", "a", "b", "c", "d", "e", "h"]);
  const refused = row(page, "f");
  assert.match(await refused.innerText(), /Visit changed\s+needs attention\s+Station f\s+10:00\s+Write a note first\./);
  assert.equal(await refused.getAttribute("data-status"), "needs_attention");
  const names = refused.getByRole("button");
  assert.deepEqual(await names.allInnerTexts(), ["Retry", "Discard", "Export"]);
  for (const each of await names.all()) {
    const { width, height } = await each.boundingBox();
    assert.ok(width >= 48 && height >= 48, `${width} × ${height}`);
  }
  assert.equal(await page.getByRole("button").count(), 6);
  assert.deepEqual(await page.evaluate(() => document.documentElement.scrollWidth), 360);
});

test("discarding is asked once more, in place; Escape and a double click are no answer", async (t) => {
  const page = await elements(t, shared);
  await page.evaluate((told) => (show("outbox"), tellItems(told)), [{ document: "f", ...REFUSED }]);
  const place = row(page, "f");
  await button(place, "Discard").click();
  await button(place, "Really discard?").press("Escape");
  await button(place, "Discard").dblclick();
  await button(place, "Really discard?").blur();
  await button(place, "Discard").waitFor();
  assert.deepEqual(await calls(page), []);
  await button(place, "Discard").press("Enter");
  await button(place, "Really discard?").press("Enter");
  await outbox(page).getByRole("status").getByText("It is discarded.").waitFor();
  assert.deepEqual(await calls(page), ["discard f"]);
});

test("the focus stays on its row, and goes to the next when the row is gone", async (t) => {
  const page = await elements(t, shared);
  const refused = (document) => ({ document, ...REFUSED });
  const focused = () => page.evaluate(() => {
    const { activeElement } = document.querySelector("landfall-outbox").shadowRoot;
    return [activeElement?.closest("li")?.dataset.document, activeElement?.textContent];
  });
  await page.evaluate((told) => (show("outbox"), tellItems(told)), ["a", "b", "c"].map(refused));
  await button(row(page, "b"), "Discard").focus();
  await page.evaluate((told) => tellItems(told), [{ document: "x", ...REFUSED }, ...["b", "c"].map(refused), { document: "y" }]);
  await row(page, "x").waitFor();
  assert.deepEqual(await focused(), ["b", "Discard"]);
  await page.evaluate((told) => tellItems(told), [refused("c")]);
  await row(page, "b").waitFor({ state: "detached" });
  assert.deepEqual(await focused(), ["c", "Retry"]);
  await page.evaluate(() => tellItems([]));
  await row(page, "c").waitFor({ state: "detached" });
  assert.deepEqual(await focused(), [undefined, "Outbox"]);
});

test("an act that fails says so in its row, and one under way is not done twice", async (t) => {
  const page = await elements(t, shared);
  await page.evaluate((told) => (show("outbox"), tellItems(told)), [{ document: "f", ...REFUSED }]);
  await page.evaluate(() => answerWith(() => new Promise((_, reject) => (globalThis.fail = reject))));
  const retry = button(row(page, "f"), "Retry");
  await retry.click();
  assert.equal(await retry.getAttribute("aria-disabled"), "true");
  await retry.click({ force: true });
  assert.deepEqual(await calls(page), ["retry f"]);
  await page.evaluate(() => globalThis.fail(new Error("no space is left")));
  await row(page, "f").getByRole("alert").getByText("That did not work: no space is left").waitFor();
  assert.equal(await retry.getAttribute("aria-disabled"), null);
});

test("editing is the app's, exporting is a file unless the app does it", async (t) => {
  const page = await elements(t, shared);
  await page.evaluate((told) => (show("outbox", { editable: "" }), tellItems(told)), [{ document: "f", ...REFUSED }]);
  await page.evaluate(() => document.addEventListener("landfall-edit", ({ detail }) => calls.push(`edit ${detail.document}`)));
  await button(row(page, "f"), "Edit").click();
  assert.deepEqual(await calls(page), ["edit f"]);
  const download = page.waitForEvent("download");
  await button(row(page, "f"), "Export").click();
  const file = await download;
  assert.equal(file.suggestedFilename(), "visits-f.json");
  assert.deepEqual(JSON.parse(await readFile(await file.path(), "utf8")), { document: "f" });
  page.on("download", () => assert.fail("the app did it"));
  await page.evaluate(() => document.addEventListener("landfall-export", (event) => {
    event.preventDefault();
    globalThis.calls.push("export");
  }));
  await button(row(page, "f"), "Export").click();
  assert.deepEqual(await calls(page), ["edit f", "export"]);
});

test("a group is one row, and the item at fault speaks for it", async (t) => {
  const page = await elements(t, shared);
  const group = "w:a";
  await page.evaluate((told) => (show("outbox"), tellItems(told)), [
    { document: "a", group, status: "needs_attention", code: "group_refused", because: "w:b" },
    { document: "b", group, ...REFUSED },
    { document: "c", group: "w:c" },
    { document: "d", group: "w:c" },
  ]);
  assert.equal(await outbox(page).locator("li").count(), 2);
  assert.match(await row(page, "b").innerText(), /Write a note first\. — with 1 change that belongs to it/);
});

test("a long list is counted and can be read to its end", async (t) => {
  const page = await elements(t, shared);
  const many = Array.from({ length: 120 }, (_, i) => ({ document: `n${i}` }));
  await page.evaluate((told) => (show("outbox"), tellItems(told)), many);
  await page.getByText("and 70 changes more").waitFor();
  await button(outbox(page), "Show more").click();
  await button(outbox(page), "Show more").click();
  await row(page, "n119").waitFor();
  await button(outbox(page), "Show more").waitFor({ state: "hidden" });
});

test("a conflict shows both sides, and the other one can be put back", async (t) => {
  const page = await elements(t, shared);
  await page.evaluate((told) => (show("conflicts"), tellConflicts(told)), [{}, SETTLED]);
  const card = page.locator('landfall-conflicts li[data-conflict="c1"]');
  assert.match(await card.innerText(), /^Visit · Station d · notes/);
  const mine = card.locator('[data-side="mine"]');
  const theirs = card.locator('[data-side="theirs"]');
  assert.match(await mine.innerText(), /Yours\s+kept aside\s+ada, 10:00\s+roof ok\s+Put back/);
  assert.match(await theirs.innerText(), /Theirs\s+stands\s+bo, 10:00\s+roof leaks\s+Keep this/);
  await page.evaluate(() => answerWith(() => new Promise((_, reject) => (globalThis.fail = reject))));
  await button(theirs, "Keep this").click();
  assert.equal(await button(mine, "Put back").getAttribute("aria-disabled"), "true");
  await page.evaluate(() => globalThis.fail(new Error("somebody was faster")));
  await card.getByRole("alert").getByText("That did not work: somebody was faster").waitFor();
  await page.evaluate(() => answerWith(async () => {}));
  await button(mine, "Put back").click();
  assert.deepEqual(await calls(page), ["resolve c1 theirs", "resolve c1 mine"]);
  await page.locator("landfall-conflicts").getByRole("status").getByText("It is put back.").waitFor();
});

test("a document that one deleted shows what the other had changed, a line for each field", async (t) => {
  const page = await elements(t, shared);
  await page.evaluate((told) => {
    const [mine, theirs] = [{ deleted: true, value: null }, { value: { notes: "valve is stuck", rating: 4, done: true } }];
    const side = (told) => ({ user: "ada", at: Date.now(), removed: false, deleted: false, ...told });
    show("conflicts"), tellConflicts([{ path: "", mine: side(mine), theirs: side(theirs) }]), tellSync(told);
  }, SETTLED);
  const card = page.locator("landfall-conflicts li");
  assert.match(await card.innerText(), /^Visit · Station d · the whole of it/);
  assert.equal(await card.locator('[data-side="mine"] .value').innerText(), "deleted");
  assert.equal(await card.locator('[data-side="theirs"] .value').innerText(), "notes: valve is stuck\nrating: 4\ndone: yes");
});

test("a third person is told whose versions they are; without a network nobody can choose", async (t) => {
  const page = await elements(t, shared);
  await page.evaluate((told) => (show("conflicts", { user: "cy" }), tellConflicts([{}]), tellSync(told)), STATUS.offline);
  const card = page.locator("landfall-conflicts li");
  assert.match(await card.innerText(), /ada\s+kept aside[^]*bo\s+stands[^]*Choosing needs the network\./);
  assert.doesNotMatch(await card.innerText(), /Yours|Theirs/);
  const keep = button(card, "Keep this");
  assert.equal(await keep.getAttribute("aria-disabled"), "true");
  await keep.click({ force: true });
  assert.deepEqual(await calls(page), []);
});

test("the app's words are used everywhere, and what was set before the element was known counts", async (t) => {
  const page = await elements(t, shared);
  await page.evaluate(async () => {
    const early = document.createElement("x-outbox");
    document.querySelector("main").append(early);
    Object.assign(early, { db, words: { discard: "Verwerfen", outbox: "Ausgang" }, describe: () => "Haus 7" });
    const Outbox = customElements.get("landfall-outbox");
    customElements.define("x-outbox", class extends Outbox {});
    tellItems([{ document: "f", status: "needs_attention", code: "forbidden" }]);
  });
  const early = page.locator("x-outbox");
  await early.getByRole("heading", { name: "Ausgang" }).waitFor();
  await button(early, "Verwerfen").waitFor();
  await early.getByText("Haus 7").waitFor();
  await button(early, "Export").waitFor();
});

test("an element that leaves the page follows nothing, and goes on when it is back", async (t) => {
  const page = await elements(t, shared);
  const followers = () => page.evaluate(() => [db.sync.followers, db.outbox.followers, db.conflicts.followers]);
  await page.evaluate(() => ["status", "outbox", "conflicts"].forEach((name) => show(name)));
  assert.deepEqual(await followers(), [2, 1, 1]);
  await page.evaluate(() => {
    globalThis.main = document.querySelector("main");
    main.remove();
    tellItems([{ document: "f" }]);
  });
  assert.deepEqual(await followers(), [0, 0, 0]);
  await page.evaluate(() => document.body.append(globalThis.main));
  assert.deepEqual(await followers(), [2, 1, 1]);
  await row(page, "f").waitFor();
});
