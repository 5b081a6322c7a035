import { expect, test, vi } from "vitest";
import { codeOf, inspections, opened, turn } from "./fixture.js";

test("accepted resolves when the server has the write, asked before or after", async () => {
  const { db, core } = await inspections();
  const write = await db.notes.insert({});
  const before = write.accepted();
  core.emit({ settled: [{ mutation: write.mutation, status: "accepted", code: null, message: null }] });
  await before;
  await write.accepted({ timeout: 0 });
});

test("accepted rejects with needs_attention and the server's reason, which nobody needs to handle", async () => {
  const { db, core } = await inspections();
  const [ignored, asked] = await db.notes.insertMany([{}, {}]);
  for (const write of [ignored, asked]) {
    const mutation = write?.mutation ?? "";
    core.emit({ settled: [{ mutation, status: "needs_attention", code: "forbidden", message: "not yours" }] });
  }
  await expect(asked?.accepted()).rejects.toMatchObject({
    code: "needs_attention",
    message: "forbidden: not yours",
    cause: { code: "forbidden", message: "not yours" },
  });
  await turn();
});

test("a timeout gives up waiting and nothing else", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const { db, core } = await inspections();
    const write = await db.notes.insert({});
    const waiting = codeOf(write.accepted({ timeout: 30_000 }));
    vi.advanceTimersByTime(29_999);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(1);
    expect(await waiting).toBe("timeout");

    const again = write.accepted({ timeout: 30_000 });
    const endless = write.accepted({ timeout: Number.MAX_VALUE });
    expect(vi.getTimerCount()).toBe(2);
    core.emit({ settled: [{ mutation: write.mutation, status: "accepted", code: null, message: null }] });
    await Promise.all([again, endless]);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("who waits learns that the database was closed", async () => {
  const { db } = await inspections();
  const write = await db.notes.insert({});
  const waiting = codeOf(write.accepted());
  await db.close();
  expect(await waiting).toBe("closed");
  expect(await codeOf(write.accepted())).toBe("closed");
});

test("a local database has nobody to accept anything, and says so", async () => {
  const { db } = await opened({ notes: {} });
  const write = await db.notes.insert({});
  expect(await codeOf(write.accepted())).toBe("invalid_options");
});

test("a write that ended while the core was starting anew is told how", async () => {
  const { db, core, module } = await inspections();
  const [taken, refused, kept] = await db.notes.insertMany([{}, {}, {}]);
  const ends: unknown[] = [];
  for (const write of [taken, refused, kept]) void codeOf(write!.accepted()).then((code) => ends.push(code));
  module.opening = (next) => {
    const entry = {
      kind: "create" as const, collection: "notes", document: "d", group: null, message: null, field: null,
      attempts: 1, savedAt: 1, because: null, discarding: false, fields: [],
    };
    next.entries.push({ ...entry, id: kept!.mutation, status: "saved", code: null });
    next.entries.push({ ...entry, id: refused!.mutation, status: "needs_attention", code: "forbidden" });
  };
  core.emit({ crashed: "BUG: a panic" });
  await vi.waitFor(() => expect(ends).toEqual(["resolved", "needs_attention"]));
  module.core.emit({ settled: [{ mutation: kept!.mutation, status: "accepted", code: null, message: null }] });
  await vi.waitFor(() => expect(ends).toEqual(["resolved", "needs_attention", "resolved"]));
});
