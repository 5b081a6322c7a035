import { expect, onTestFinished, test, vi } from "vitest";
import { openWith } from "../src/database.js";
import type { Conflict } from "../src/index.js";
import type { Json } from "../src/wire.js";
import { codeOf, opened, turn } from "./fixture.js";
import { type MemoryCore, MemoryModule } from "./memory-core.js";

type Recorded = { [key: string]: Json };

const side = (user: string, value: Json, more: Recorded = {}): Recorded => ({
  user, client: `client of ${user}`, mutation: null, at: user === "ada" ? 10 : 20, value, removed: false, deleted: false, ...more,
});

/** Ada is looking; Ben won. */
const recorded = (id: string, more: Recorded = {}): Recorded => ({
  id, collection: "visits", document: "d", path: "/notes", at: 30, policy: "last-write-wins", resolved: null,
  won: side("ben", "leaks"), lost: side("ada", "roof ok"), ...more,
});

/** A server with conflicts, in pages of two, that does what it is told and remembers what it was asked. */
function serve(core: MemoryCore, conflicts: Recorded[]): { asked: [method: string, path: string, body: Json][] } {
  const asked: [string, string, Json][] = [];
  core.server = (method, path, body = null) => {
    asked.push([method, path, body]);
    const at = Number(new URL(path, "https://x").searchParams.get("cursor") ?? 0);
    if (method === "GET") {
      const more = conflicts.length > at + 2;
      return { serverTime: 1, conflicts: conflicts.slice(at, at + 2), cursor: more ? String(at + 2) : null, more };
    }
    const { id, choice } = body as { id: string; choice: string };
    const place = conflicts.findIndex((one) => one["id"] === id);
    const before = conflicts[place];
    if (!before) throw { code: "not_found", message: "there is no such conflict" };
    if (before["resolved"]) throw { code: "conflict_resolved", message: "cy was first" };
    conflicts[place] = { ...before, resolved: { by: "ada", at: 40, choice } };
    return { serverTime: 1, conflict: conflicts[place] };
  };
  return { asked };
}

async function looking(conflicts: Recorded[] = [], user = "ada") {
  const { db, core } = await opened({ visits: {} }, "https://sync.example.org", user);
  return { db, core, conflicts, ...serve(core, conflicts) };
}

test("a conflict is listed from where the user stands, plain and frozen", async () => {
  const { db } = await looking([recorded("c1"), recorded("c2", { path: "/a~1b/deep" }), recorded("c3", { path: "" })]);
  const list = await db.conflicts.list();
  expect(list.map(({ id, field }) => [id, field])).toEqual([["c1", "notes"], ["c2", "a/b"], ["c3", ""]]);
  expect(list[0]).toEqual({
    id: "c1", collection: "visits", document: "d", path: "/notes", field: "notes", at: 30, policy: "last-write-wins",
    mine: { user: "ada", at: 10, value: "roof ok", removed: false, deleted: false },
    theirs: { user: "ben", at: 20, value: "leaks", removed: false, deleted: false },
    winner: "theirs",
    resolved: null,
  });
  expect(Object.isFrozen(list) && Object.isFrozen(list[0]?.mine)).toBe(true);
});

test("where neither side is the user's, or both are, what won is called mine", async () => {
  const twice = recorded("c2", { won: side("cy", 1), lost: side("cy", 2) });
  const { db } = await looking([recorded("c1"), twice], "cy");
  const list = await db.conflicts.list();
  expect(list.map(({ mine, winner }) => [mine.value, winner])).toEqual([["leaks", "mine"], [1, "mine"]]);
});

test("what stands is the side that was chosen, or neither", async () => {
  const settled = (choice: string): Recorded => ({ resolved: { by: "cy", at: 40, choice } });
  const { db } = await looking([recorded("c1", settled("won")), recorded("c2", settled("lost")), recorded("c3", settled("value"))]);
  const list = await db.conflicts.list();
  expect(list.map(({ winner }) => winner)).toEqual(["theirs", "mine", null]);
  expect(list[1]?.resolved).toEqual({ by: "cy", at: 40 });
});

test("a subscriber gets what is known at once, and anew whenever something was synchronised", async () => {
  const { db, core, conflicts, asked } = await looking();
  const seen: string[][] = [];
  const stop = db.conflicts.subscribe((list) => seen.push(list.map(({ id }) => id)));
  expect(seen).toEqual([[]]);
  await turn();
  expect(asked.length).toBe(1);
  conflicts.unshift(recorded("c1"));
  core.progress({ phase: "pulling" });
  await turn();
  expect(asked.length).toBe(1);
  core.progress({ phase: "idle", lastSyncedAt: 5 });
  await turn();
  expect(seen).toEqual([[], ["c1"]]);
  core.progress({ lastSyncedAt: 6 });
  await turn();
  expect(seen.length).toBe(2);
  stop();
  stop();
  core.progress({ lastSyncedAt: 7 });
  await turn();
  expect(asked.length).toBe(3);
  db.conflicts.subscribe(() => {});
  await turn();
  core.progress({ lastSyncedAt: 8 });
  await turn();
  expect(asked.length).toBe(5);
});

test("a device that goes offline keeps the list, and asks again when there is contact", async () => {
  const { db, core, conflicts } = await looking([recorded("c1")]);
  let last: readonly Conflict[] = [];
  db.conflicts.subscribe((list) => (last = list));
  await turn();
  const { server } = core;
  core.server = undefined;
  core.progress({ online: false, lastSyncedAt: 6 });
  await turn();
  expect(last.map(({ id }) => id)).toEqual(["c1"]);
  expect(await codeOf(db.conflicts.list())).toBe("unreachable");
  conflicts.unshift(recorded("c2"));
  core.server = server;
  core.progress({ online: true, lastSyncedAt: 7 });
  await turn();
  expect(last.map(({ id }) => id)).toEqual(["c2", "c1"]);
});

test.each([
  ["mine", { choice: "lost" }],
  ["theirs", { choice: "won" }],
  [{ value: { floor: 2 } }, { choice: "value", value: { floor: 2 } }],
  [{ value: null }, { choice: "value", value: null }],
] as const)("a decision for %j goes to the server, and what it gives is pulled at once", async (choice, sent) => {
  const { db, core, asked } = await looking([recorded("c1")]);
  let last: readonly Conflict[] = [];
  db.conflicts.subscribe((list) => (last = list));
  await turn();
  await db.conflicts.resolve("c1", choice);
  expect(asked.at(-1)).toEqual(["POST", "/api/v1/sync/resolve", { id: "c1", ...sent }]);
  await turn();
  expect(last[0]?.resolved).toEqual({ by: "ada", at: 40 });
  expect(core.commands).toEqual(["now"]);
});

test("a decision needs no list beforehand", async () => {
  const { db, conflicts } = await looking([recorded("c1")]);
  await db.conflicts.resolve("c1", "mine");
  expect(conflicts[0]?.["resolved"]).toMatchObject({ choice: "lost" });
  expect(await codeOf(db.conflicts.resolve("c9", "mine"))).toBe("not_found");
});

test("a decision offline is refused, and says what to do", async () => {
  const { db, core, conflicts } = await looking([recorded("c1")]);
  await db.conflicts.list();
  core.server = undefined;
  const decision = db.conflicts.resolve("c1", "mine");
  await expect(decision).rejects.toMatchObject({ name: "LandfallError", code: "unreachable" });
  await expect(decision).rejects.toThrow(/connect, then choose again/);
  expect(conflicts[0]?.["resolved"]).toBe(null);
});

test("whoever was faster is shown", async () => {
  const { db, conflicts } = await looking([recorded("c1")]);
  let last: readonly Conflict[] = [];
  db.conflicts.subscribe((list) => (last = list));
  await turn();
  conflicts[0] = recorded("c1", { resolved: { by: "cy", at: 35, choice: "lost" } });
  expect(await codeOf(db.conflicts.resolve("c1", "theirs"))).toBe("conflict_resolved");
  await turn();
  expect(last[0]).toMatchObject({ winner: "mine", resolved: { by: "cy" } });
});

test("an answer from before a decision does not take it back", async () => {
  const { db, core } = await looking([recorded("c1")]);
  const seen: boolean[] = [];
  db.conflicts.subscribe(([first]) => first && seen.push(first.resolved !== null));
  await turn();
  core.hold();
  core.progress({ lastSyncedAt: 5 });
  await turn();
  const answers = core.held;
  core.held = undefined;
  await db.conflicts.resolve("c1", "mine");
  for (const answer of answers ?? []) answer();
  await turn();
  expect(seen).toEqual([false, true]);
});

test("what makes no sense is refused before anything is sent", async () => {
  const { db, asked } = await looking([recorded("c1")]);
  for (const choice of ["won", null, {}]) expect(await codeOf(db.conflicts.resolve("c1", choice as "mine"))).toBe("invalid_options");
  expect(await codeOf(db.conflicts.resolve("c1", { value: new Date() as unknown as Json }))).toBe("invalid_document");
  expect(asked).toEqual([]);
});

test("something that is not the server is told apart", async () => {
  const { db, core } = await looking();
  core.request = async () => "<!doctype html>";
  expect(await codeOf(db.conflicts.list())).toBe("not_ours");
  core.request = async () => "{}";
  expect(await codeOf(db.conflicts.list())).toBe("not_ours");
});

test("a database without a server has no conflicts, and a closed one answers nothing", async () => {
  const { db } = await opened({ visits: {} });
  expect(await db.conflicts.list()).toEqual([]);
  expect(await codeOf(db.conflicts.resolve("c1", "mine"))).toBe("not_found");
  const { db: other } = await looking();
  await other.close();
  expect(await codeOf(other.conflicts.list())).toBe("closed");
});

test("the list of the last time is shown until the server gives another", async () => {
  const left = new Map<string, string>();
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => left.get(key) ?? null,
    setItem: (key: string, text: string) => void left.set(key, text),
  });
  onTestFinished(() => void vi.unstubAllGlobals());
  const conflicts = [recorded("c1"), recorded("c2")];
  const module = new MemoryModule();
  const again = () =>
    openWith(async () => module, { name: "again", url: "https://sync.example.org", user: "ada", collections: { visits: {} } });
  let db = await again();
  serve(module.core, conflicts);
  await db.conflicts.list();
  await db.close();

  db = await again();
  onTestFinished(() => db.close());
  module.core.server = () => {
    throw { code: "unreachable", message: "" };
  };
  const shown: (readonly Conflict[])[] = [];
  db.conflicts.subscribe((list) => void shown.push(list));
  expect(shown[0]?.map(({ id, mine }) => [id, mine.value])).toEqual([["c1", "roof ok"], ["c2", "roof ok"]]);
  expect(Object.isFrozen(shown[0]) && Object.isFrozen(shown[0]?.[0]?.mine)).toBe(true);
  expect(await codeOf(db.conflicts.resolve("c1", "mine"))).toBe("unreachable");

  conflicts.length = 0;
  serve(module.core, conflicts);
  expect(await db.conflicts.list()).toEqual([]);
  expect(shown.at(-1)).toEqual([]);
  expect([...left.values()]).toEqual(["[]"]);
});
