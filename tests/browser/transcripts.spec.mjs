/**
 * The product's module lives through what the core lives through natively (tests/transcript): on the same readings of
 * the clock and the same random bytes it asks, shows and stores the same, to the byte.
 */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Chromium } from "./chromium.mjs";
import { until } from "./page.mjs";
import { GOLDEN, WASM } from "./products.mjs";
import { Workspace } from "./workspace.mjs";

/** Everything is answered at once, so whatever takes longer never comes. */
const PATIENCE_MS = 20_000;

/** Nobody listens there: whatever the page asks for is answered by the test. */
const ORIGIN = "http://localhost:1";

const TYPES = { html: "text/html", js: "text/javascript", wasm: "application/wasm" };

for (const file of await readdir(join(GOLDEN, "transcripts"))) {
  const text = await readFile(join(GOLDEN, "transcripts", file), "utf8");
  test(JSON.parse(text).name, async (t) => {
    const page = await scripted(t);
    await page.goto(ORIGIN);
    const { steps, ...life } = await page.evaluate(read, [text, await vectors()]);
    await page.evaluate(begin, life);
    for (const [i, step] of steps.entries()) {
      const asked = page.answerWith(step.exchanges);
      const refused = await page.evaluate(act, step);
      const at = `step ${i + 1}, ${step.does}`;
      // What differs is told below.
      await until(page, shows, step.shows, PATIENCE_MS).catch(() => {});
      assert.deepEqual(await page.evaluate(shown), step.shows, `is shown after ${at}`);
      assert.deepEqual(asked, step.exchanges.map(({ asks }) => asks), `is asked in ${at}`);
      assert.equal(refused, step.refused, `is refused in ${at}`);
    }
    assert.deepEqual(await page.evaluate(stored), life.leaves, "is stored in the end");
  });
}

/** The vectors that transcripts name, by name. */
async function vectors() {
  const names = (await readdir(GOLDEN, { recursive: true })).filter((name) => name.endsWith(".json"));
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(join(GOLDEN, name), "utf8")])));
}

/** A page with nothing but the core, whose server is `page.answerWith`: that gives what is asked from then on. */
async function scripted(t) {
  const workspace = await Workspace.make();
  t.after(() => workspace.clear());
  const browser = workspace.keep(await Chromium.start(join(workspace.directory, "profile")));
  const page = await browser.page();
  page.on("pageerror", (error) => console.error(`page: ${error.stack ?? error}`));
  await page.addInitScript(`globalThis.shown = ${shown}`);
  let asked, answers;
  page.answerWith = (exchanges) => {
    answers = exchanges.map(({ answer }) => answer);
    return (asked = []);
  };
  await page.route("**/*", async (route) => {
    const request = route.request();
    const { pathname, searchParams } = new URL(request.url());
    // The stream of hints stays silent.
    if (pathname === "/api/v1/sync/live") return;
    if (!pathname.startsWith("/api/")) return route.fulfill(await served(pathname));
    const pull = JSON.stringify({ pull: searchParams.get("cursor") || null });
    asked.push(request.method() === "POST" ? `{"push":${request.postData()}}` : pull);
    const answer = answers.shift();
    if (answer?.status === 0) return route.abort();
    // What nobody expects gets no answer, and is told once everything is compared.
    if (answer) await route.fulfill({ contentType: "application/json", ...answer });
  });
  return page;
}

async function served(pathname) {
  if (pathname === "/") return { contentType: TYPES.html, body: "<!doctype html><title>Transcript</title>" };
  const body = await readFile(join(WASM, pathname));
  return { contentType: TYPES[pathname.split(".").at(-1)], body };
}

/** In the page, because its JSON keeps numbers as they are spelled: a transcript as texts. */
function read([text, vectors]) {
  const parse = (text) => JSON.parse(text, (_, value, { source }) => (typeof value === "number" ? JSON.rawJSON(source) : value));
  const spell = JSON.stringify;
  globalThis.parse = parse;
  // So many texts differ in a way that can be read.
  globalThis.lines = ({ documents, outbox, state, settled }) => [
    ...Object.entries(documents).flatMap(([name, rows]) => Object.entries(rows).map(([id, data]) => `${name} ${id} ${spell(data)}`)),
    ...outbox.map((item) => `outbox ${spell(item)}`),
    `state ${spell(state)}`,
    ...settled.map((one) => `settled ${spell(one)}`),
  ];
  const vector = (name) => spell(parse(vectors[name]));
  const asked = (asks) => (asks.golden ? `{"push":${vector(asks.golden)}}` : spell(asks));
  const answered = ({ golden, body, problem }) => {
    if (golden) return { status: 200, body: vectors[golden] };
    if (body) return { status: 200, body: spell(body) };
    return problem ? { status: Number(spell(problem[0])), body: spell(problem[1]) } : { status: 0 };
  };
  const life = parse(text);
  const records = (had) => (typeof had === "string" ? parse(vectors[had]) : had);
  const list = (records) => records.map(([key, record]) => [spell(key), typeof record === "string" ? record : spell(record)]);
  return {
    user: life.user,
    collections: spell(life.collections),
    had: Object.fromEntries(Object.entries(life.had ?? {}).map(([store, had]) => [store, list(records(had))])),
    leaves: Object.fromEntries(Object.entries(life.leaves).map(([store, records]) => [store, list(records)])),
    steps: life.steps.map(({ at, does, refused = null, exchanges, shows }) => ({
      at: Number(spell(at)),
      does: spell(does),
      refused,
      exchanges: exchanges.map(({ asks, answer }) => ({ asks: asked(asks), answer: answered(answer) })),
      shows: lines(shows),
    })),
  };
}

/** In the page: its clock and its chance from then on, and what is stored before. */
async function begin({ user, collections, had }) {
  const options = { name: "transcript", url: location.origin, user, collections: JSON.parse(collections) };
  globalThis.options = options;
  globalThis.reading = 0;
  Date.now = () => globalThis.reading;
  // Hex digits of numbers, whose first byte is the last of them.
  globalThis.random = [];
  crypto.getRandomValues = (array) => {
    const bytes = globalThis.random.shift().match(/../g).reverse();
    array.set(bytes.map((byte) => parseInt(byte, 16)));
    return array;
  };
  globalThis.database = `landfall ${JSON.stringify([options.name, options.user, options.url])}`;
  const request = indexedDB.open(globalThis.database);
  request.onupgradeneeded = () => {
    // The module makes the stores that are missing.
    for (const [name, records] of Object.entries(had)) {
      const keys = records.map(([key]) => JSON.parse(key));
      const store = request.result.createObjectStore(name, { autoIncrement: keys.every((key) => typeof key === "number") });
      records.forEach(([, record], i) => store.put(record, keys[i]));
    }
  };
  await new Promise((resolve, reject) => Object.assign(request, { onsuccess: resolve, onerror: reject }));
  request.result.close();
}

/** In the page: what the app does. Gives the code with which that is refused. */
async function act({ at, does }) {
  const { open, write, group, attend, command } = parse(does);
  globalThis.reading = at;
  globalThis.settled = [];
  try {
    if (open) {
      globalThis.core?.close();
      const glue = await import("/landfall_web.js");
      await glue.default();
      globalThis.random = [open.client, open.writer, open.seed];
      const hear = (text) => globalThis.settled.push(...(parse(text).settled ?? []));
      globalThis.core = await glue.open(options, () => "token", hear);
    }
    if (write ?? group) await core.write(JSON.stringify(write ?? group), group !== undefined);
    if (attend) await core.attend(attend[0], JSON.stringify(attend[1]));
    if (command) core.command(command);
  } catch (error) {
    if (error.code === undefined) throw error;
    return error.code;
  }
  return null;
}

/** In the page: what there is to see, as transcripts have it. */
async function shown() {
  const documents = {};
  for (const name of Object.keys(options.collections)) {
    // What is not read yet comes as events; then it is asked for once more.
    await core.load(name);
    const rows = parse(await core.load(name));
    documents[name] = Object.fromEntries(rows.map(({ id, data }) => [id, data]));
  }
  return lines({ documents, outbox: parse(core.outbox()), state: parse(core.state()), settled });
}

async function shows(expected) {
  return JSON.stringify(await globalThis.shown()) === JSON.stringify(expected);
}

/** In the page: every record of every store. */
async function stored() {
  const done = (request) => new Promise((resolve, reject) => Object.assign(request, { onsuccess: () => resolve(request.result), onerror: reject }));
  const connection = await done(indexedDB.open(database));
  const stores = {};
  for (const name of connection.objectStoreNames) {
    const store = connection.transaction(name).objectStore(name);
    const [keys, records] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
    stores[name] = keys.map((key, i) => [JSON.stringify(key), records[i]]);
  }
  connection.close();
  return stores;
}
