import { expect, test } from "vitest";
import { openWith, type Options } from "../src/database.js";
import type { Collections } from "../src/schema.js";
import { codeOf } from "./fixture.js";
import { MemoryModule } from "./memory-core.js";

const options = { name: "open", url: "https://sync.example.org/", user: "u_17", collections: { visits: {} } };

test("the same name, address and user is the same database until it is closed as often as it was opened", async () => {
  const module = new MemoryModule();
  const load = async (): Promise<MemoryModule> => module;
  const [first, second] = await Promise.all([openWith(load, options), openWith(load, options)]);
  expect(second).toBe(first);
  expect(module.opened).toHaveLength(1);

  await first.close();
  expect(module.core.closed).toBe(false);
  expect(await second.visits.get("a")).toBeUndefined();

  await second.close();
  expect(module.core.closed).toBe(true);
  expect(await codeOf(second.visits.get("a"))).toBe("closed");
  expect(await codeOf(second.visits.insert({}))).toBe("closed");
  await second.close();
});

test("opening while the last one closes waits, and opens anew", async () => {
  const module = new MemoryModule();
  const load = async (): Promise<MemoryModule> => module;
  const first = await openWith(load, options);
  const closing = first.close();
  const second = await openWith(load, options);
  await closing;
  expect(second).not.toBe(first);
  expect(module.opened).toHaveLength(2);
  await second.visits.insert({});
  await second.close();
});

test("another user is another database", async () => {
  const module = new MemoryModule();
  const load = async (): Promise<MemoryModule> => module;
  const first = await openWith(load, options);
  const second = await openWith(load, { ...options, user: "u_18" });
  expect(second).not.toBe(first);
  await Promise.all([first.close(), second.close()]);
});

test("an open that failed can be tried again", async () => {
  const module = new MemoryModule();
  module.opening = () => Promise.reject({ code: "storage_unavailable", message: "private window" });
  const load = async (): Promise<MemoryModule> => module;
  expect(await codeOf(openWith(load, options))).toBe("storage_unavailable");
  module.opening = () => {};
  const db = await openWith(load, options);
  await db.close();
});

test("a core that panics while it opens fails the open", async () => {
  const module = new MemoryModule();
  module.opening = (core) => {
    core.emit({ crashed: "BUG: a panic" });
    return new Promise(() => {});
  };
  expect(await codeOf(openWith(async () => module, options))).toBe("core_crashed");
});

test("other collections under the same name are refused while it is open", async () => {
  const module = new MemoryModule();
  const db = await openWith(async () => module, options);
  const other = { ...options, collections: { sites: {} } };
  expect(await codeOf(openWith(async () => module, other))).toBe("invalid_options");
  await db.close();
});

test("the core gets one spelling of the address, and every collection's declaration", async () => {
  const module = new MemoryModule();
  const db = await openWith(async () => module, {
    name: "options",
    url: "https://SYNC.example.org:443/app//?x#y",
    collections: { sites: {}, visits: { version: 2, parent: { site: "sites" }, fields: { photos: "counter" }, indexes: ["site"] } },
  });
  expect(module.opened[0]?.options).toEqual({
    name: "options",
    url: "https://sync.example.org/app",
    user: null,
    collections: {
      sites: { version: 1, parent: {}, fields: {}, indexes: [], migrates: false },
      visits: { version: 2, parent: { site: "sites" }, fields: { photos: "counter" }, indexes: ["site"], migrates: false },
    },
  });
  expect(module.opened[0]?.auth).toBeNull();
  await db.close();
});

test("a token that is being fetched is not fetched twice", async () => {
  const module = new MemoryModule();
  let asked = 0;
  const answers: ((token: string) => void)[] = [];
  const auth = (): Promise<string> => {
    asked += 1;
    return new Promise((resolve) => answers.push(resolve));
  };
  const db = await openWith(async () => module, { ...options, auth });
  const ask = module.opened[0]?.auth;
  expect(asked).toBe(0);
  const tokens = Promise.all([ask?.(), ask?.()]);
  await Promise.resolve();
  answers[0]?.("t1");
  expect(await tokens).toEqual(["t1", "t1"]);
  void ask?.();
  expect(asked).toBe(2);
  await db.close();
});

const refused: [string, string, object][] = [
  ["no name", "invalid_options", { name: "" }],
  ["an address that is none", "invalid_options", { url: "sync" }],
  ["an address that is no server", "invalid_options", { url: "ftp://example.org" }],
  ["a schema that is none", "invalid_options", { collections: { visits: { schema: {} } } }],
  ["a version below 1", "invalid_options", { collections: { visits: { version: 0 } } }],
  ["a migration that is no function", "invalid_options", { collections: { visits: { version: 2, migrate: {} } } }],
  ["a parent that is no collection", "invalid_options", { collections: { visits: { parent: { site: "sites" } } } }],
  ["a collection named like a member", "invalid_collection", { collections: { sync: {} } }],
  ["a collection named like a member to come", "invalid_collection", { collections: { transaction: {} } }],
  ["a collection named like a method", "invalid_collection", { collections: { close: {} } }],
  ["a collection named like what every object has", "invalid_collection", { collections: { toString: {} } }],
];

test.each(refused)("%s is refused as %s", async (_, code, wrong) => {
  const module = new MemoryModule();
  // Untyped code can pass anything.
  const given = { ...options, ...wrong } as Options<Collections>;
  expect(await codeOf(openWith(async () => module, given))).toBe(code);
  expect(module.opened).toHaveLength(0);
});
