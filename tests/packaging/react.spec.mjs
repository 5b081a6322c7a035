/** The hooks in a real React, in a real page: live, without leftovers, and never in a loop. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "vite";
import { HTML } from "./app.mjs";
import { fixture } from "./fixture.mjs";
import { Site } from "./site.mjs";

/**
 * One component with all four hooks, in StrictMode. What it shows is in the page, what it cost in
 * `renders`, and who follows a query in `followers`, counted at the package's own door.
 */
const MAIN = `
import { createElement as h, StrictMode, useState } from "react";
import { createRoot, hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server.browser";
import { open } from "landfall";
import "landfall/components";
import { useDocument, useOutbox, useQuery, useSync } from "landfall/react";

globalThis.renders = 0;
globalThis.followers = 0;
globalThis.recovered = [];

function Notes({ db, kind }) {
  renders += 1;
  const notes = useQuery(db?.notes.where({ kind }).orderBy("text"));
  const one = useDocument(db?.notes, "b");
  const shown = {
    notes: notes?.map(({ text }) => text) ?? null,
    one: one === undefined ? "unknown" : one?.text ?? null,
    pending: useSync(db)?.pending ?? null,
    outbox: useOutbox(db).map(({ document }) => document),
  };
  return h("pre", null, JSON.stringify(shown));
}

function App({ db }) {
  const [kind, setKind] = useState("x");
  const [there, setThere] = useState(true);
  Object.assign(globalThis, { setKind, setThere });
  if (!there) return h("p", null, "gone");
  const describe = ({ document }) => "note " + document;
  return h("main", null, h(Notes, { db, kind }), h("landfall-outbox", { db, describe }));
}

const app = (db) => h(StrictMode, null, h(App, { db }));
const place = document.body.appendChild(document.createElement("main"));
const root = createRoot(place);
root.render(app(undefined));

/** Takes over, with a database, what a server rendered without one. */
globalThis.takeOver = () => {
  root.unmount();
  place.innerHTML = renderToString(app(undefined));
  const html = place.textContent;
  hydrateRoot(place, app(db), { onRecoverableError: (error) => recovered.push(String(error)) });
  return html;
};

// Nobody answers there: what is written stays in the outbox.
const options = { name: "react", url: "http://127.0.0.1:1", user: "ada", auth: () => "token", collections: { notes: {} } };
globalThis.opened = open(options).then((db) => {
  globalThis.db = db;
  const query = Object.getPrototypeOf(db.notes.where());
  const { subscribe } = query;
  query.subscribe = function (...parameters) {
    followers += 1;
    const stop = subscribe.apply(this, parameters);
    return () => {
      followers -= 1;
      stop();
    };
  };
  root.render(app(db));
});
`;

const shared = fixture({
  files: { "index.html": HTML, "main.js": MAIN },
  others: ["react", "react-dom", "scheduler"],
  prepare: (root) => {
    // React checks more, and mounts everything twice, in development only.
    const define = { "process.env.NODE_ENV": '"development"' };
    return build({ root, configFile: false, logLevel: "error", mode: "development", define });
  },
});

async function app(t) {
  const site = await Site.start(join(shared.folder, "dist"));
  t.after(() => site.stop());
  const page = await shared.browser.page();
  page.setDefaultTimeout(30_000);
  const said = [];
  page.on("console", (message) => message.type() === "error" && said.push(message.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  await page.goto(site.origin);
  await page.waitForFunction(() => globalThis.db !== undefined);
  return { page, said: () => said.filter((text) => !/Failed to load resource|ERR_CONNECTION/.test(text)) };
}

/** Resolves once the page shows exactly this; says what it shows instead, if it never does. */
async function shows(page, expected) {
  const text = JSON.stringify(expected);
  await page.waitForFunction((text) => document.querySelector("pre")?.textContent === text, text).catch(async () => {
    assert.equal(await page.locator("pre").textContent(), text);
  });
}

const NOTHING = { notes: [], one: null, pending: 0, outbox: [] };

test("what is written is shown, and nothing is rendered that did not change", async (t) => {
  const { page, said } = await app(t);
  await shows(page, NOTHING);
  await page.evaluate(() => db.notes.insert({ kind: "x", text: "first" }, { id: "b" }));
  await shows(page, { notes: ["first"], one: "first", pending: 1, outbox: ["b"] });
  await page.evaluate(() => db.notes.insert({ kind: "y", text: "other" }, { id: "c" }));
  await shows(page, { notes: ["first"], one: "first", pending: 2, outbox: ["b", "c"] });
  await page.evaluate(() => db.notes.delete("b"));
  await shows(page, { notes: [], one: null, pending: 3, outbox: ["b", "c", "b"] });
  // Twice for each, because of StrictMode; a loop would have made thousands.
  assert.ok((await page.evaluate(() => renders)) < 80);
  assert.deepEqual(said(), []);
});

test("another question gets its own answer, and the old one is followed no more", async (t) => {
  const { page, said } = await app(t);
  await page.evaluate(() => db.notes.insertMany([{ kind: "x", text: "an x" }, { kind: "y", text: "a y" }]));
  await page.waitForFunction(() => document.querySelector("pre").textContent.includes('["an x"]'));
  await page.evaluate(() => setKind("y"));
  await page.waitForFunction(() => /"notes":\["a y"/.test(document.querySelector("pre").textContent));
  assert.equal(await page.evaluate(() => followers), 2);
  assert.deepEqual(said(), []);
});

test("StrictMode mounts twice and leaves one that follows; an unmount leaves none", async (t) => {
  const { page, said } = await app(t);
  await page.waitForFunction(() => !document.querySelector("pre").textContent.includes('"notes":null'));
  // One for useQuery, one for useDocument.
  assert.equal(await page.evaluate(() => followers), 2);
  await page.evaluate(() => setThere(false));
  await page.getByText("gone").waitFor();
  await page.waitForFunction(() => globalThis.followers === 0);
  await page.evaluate(() => setThere(true));
  await page.waitForFunction(() => globalThis.followers === 2);
  assert.deepEqual(said(), []);
});

test("a page that a server rendered is taken over without a difference, then shows what is here", async (t) => {
  const { page, said } = await app(t);
  await page.evaluate(() => db.notes.insert({ kind: "x", text: "first" }, { id: "b" }));
  const html = await page.evaluate(() => takeOver());
  assert.equal(html, JSON.stringify({ notes: null, one: "unknown", pending: null, outbox: [] }));
  await shows(page, { notes: ["first"], one: "first", pending: 1, outbox: ["b"] });
  assert.deepEqual(await page.evaluate(() => recovered), []);
  assert.deepEqual(said(), []);
});

test("an element takes the database from a component", async (t) => {
  const { page, said } = await app(t);
  await page.evaluate(() => db.notes.insert({ kind: "x", text: "first" }, { id: "b" }));
  await page.locator("landfall-outbox").getByText("note b").waitFor();
  assert.deepEqual(said(), []);
});

test("a database that is closed under a component breaks nothing", async (t) => {
  const { page, said } = await app(t);
  await page.evaluate(() => db.close());
  await page.evaluate(() => setThere(false));
  await page.getByText("gone").waitFor();
  await page.evaluate(() => setThere(true));
  await page.locator("pre").waitFor();
  assert.deepEqual(said(), []);
});
