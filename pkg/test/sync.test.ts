import { expect, test, vi } from "vitest";
import { inspections, turn } from "./fixture.js";

test("the state is there at once, is frozen, and stays the same object until it changes", async () => {
  const { db, core } = await inspections();
  const before = db.sync.state;
  expect(before).toMatchObject({ online: true, phase: "idle", storage: { durability: "default", persisted: null } });
  expect(Object.isFrozen(before)).toBe(true);
  expect(db.sync.state).toBe(before);
  core.progress({ pending: 2 });
  expect(db.sync.state).toMatchObject({ pending: 2, storage: before.storage });
});

test("a subscriber is called at once, then once for each turn, and not after it stopped", async () => {
  const { db, core } = await inspections();
  const pending: number[] = [];
  const stop = db.sync.subscribe((state) => pending.push(state.pending));
  expect(pending).toEqual([0]);
  core.progress({ pending: 1 });
  core.progress({ pending: 2 });
  await turn();
  expect(pending).toEqual([0, 2]);
  core.progress({ pending: 3 });
  stop();
  await turn();
  expect(pending).toEqual([0, 2]);
});

test("now resolves when the round that it started has ended", async () => {
  const { db, core } = await inspections();
  core.wireState = { ...core.wireState, phase: "pushing" };
  let done = false;
  const round = db.sync.now().then(() => {
    done = true;
  });
  core.progress({ phase: "pulling" });
  await turn();
  expect(done).toBe(false);
  core.progress({ phase: "offline" });
  await round;
  db.sync.pause();
  db.sync.resume();
  expect(core.commands).toEqual(["now", "pause", "resume"]);
});

test("now resolves when there is nothing to wait for, and when the database is closed", async () => {
  const { db, core } = await inspections();
  await db.sync.now();
  core.wireState = { ...core.wireState, phase: "pushing" };
  const round = db.sync.now();
  await db.close();
  await round;
});

test("the browser is asked to keep the data with the first write, once", async () => {
  let persisted = false;
  const storage = {
    persisted: async () => persisted,
    persist: vi.fn(async () => (persisted = true)),
    estimate: async () => ({ usage: 10, quota: 100 }),
  };
  vi.stubGlobal("navigator", { storage });
  try {
    const { db } = await inspections();
    await turn();
    expect(db.sync.state.storage).toEqual({ durability: "default", persisted: false, usage: 10, quota: 100 });
    expect(storage.persist).not.toHaveBeenCalled();
    await db.notes.insert({});
    await db.notes.insert({});
    await turn();
    expect(storage.persist).toHaveBeenCalledTimes(1);
    expect(db.sync.state.storage.persisted).toBe(true);
  } finally {
    vi.unstubAllGlobals();
  }
});

test("a browser that says nothing about its storage is no failure", async () => {
  const refuse = (): Promise<never> => Promise.reject(new TypeError("not here"));
  vi.stubGlobal("navigator", { storage: { persisted: refuse, persist: refuse, estimate: refuse } });
  try {
    const { db } = await inspections();
    await db.notes.insert({});
    await turn();
    expect(db.sync.state.storage).toEqual({ durability: "default", persisted: null, usage: null, quota: null });
  } finally {
    vi.unstubAllGlobals();
  }
});

test("a tab that does not drain shows how the one that does gets on, and what is pending here", async () => {
  const { db, core } = await inspections();
  core.progress({ leads: false, pending: 3, phase: "idle" });
  core.emit({ leader: { ...core.wireState, leads: true, pending: 1, phase: "offline", online: false, nextTryAt: 5 } });
  expect(db.sync.state).toMatchObject({ pending: 3, phase: "offline", online: false, nextTryAt: 5 });
  expect(db.sync.state).not.toHaveProperty("leads");
  core.progress({ leads: true, phase: "pushing" });
  expect(db.sync.state).toMatchObject({ phase: "pushing", online: true, nextTryAt: null });
});

test("now, in a tab that does not drain, resolves when the one that does has ended its round", async () => {
  const { db, core } = await inspections();
  core.progress({ leads: false });
  let done = false;
  const round = db.sync.now().then(() => (done = true));
  core.progress({ pending: 1 });
  core.emit({ leader: { ...core.wireState, leads: true, phase: "pushing" } });
  await turn();
  expect(done).toBe(false);
  core.emit({ leader: { ...core.wireState, leads: true, phase: "idle" } });
  await round;
});
