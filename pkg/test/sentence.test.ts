import { expect, test } from "vitest";
import { why } from "../src/components/outbox.js";
import { countdown, sentence, warnings } from "../src/components/sentence.js";
import { english } from "../src/components/words.js";
import type { SyncState } from "../src/sync.js";

const STORAGE = { durability: "strict", persisted: true, usage: 10, quota: 1e10, evicted: false } as const;
const CALM = {
  online: true,
  phase: "idle",
  pending: 0,
  failed: 0,
  oldestPendingAt: null,
  lastSyncedAt: Date.now(),
  nextTryAt: null,
  progress: { done: 0, total: 0, bytes: 0 },
  breaker: "closed",
  clockSkewMs: 0,
  reason: null,
  damaged: 0,
  lost: 0,
  dropped: 0,
  storage: STORAGE,
} as const satisfies SyncState;

function said(state: Partial<SyncState>): string {
  const { tone, sentence: text } = sentence({ ...CALM, ...state }, english);
  return `${tone}: ${text}`;
}

function warned(state: object): string[] {
  return warnings({ ...CALM, ...state }, english, 1_000_000).map(({ kind }) => kind);
}

test("every state has one sentence, and only what a person can mend is alarming", () => {
  expect(said({})).toBe("calm: Everything is on the server");
  expect(said({ pending: 1 })).toBe("busy: 1 change saved here");
  expect(said({ pending: 3, phase: "offline" })).toBe("waiting: 3 changes saved here, waiting for the network");
  expect(said({ pending: 3, nextTryAt: 1 })).toBe("waiting: 3 changes saved here, waiting for the server");
  expect(said({ phase: "offline" })).toBe("waiting: No network");
  expect(said({ lastSyncedAt: null })).toBe("waiting: Not connected yet");
  expect(said({ phase: "first_sync" })).toBe("busy: Getting your data for the first time…");
  expect(said({ phase: "paused", pending: 2 })).toBe("waiting: Sending is paused — 2 changes saved here");
  expect(said({ phase: "paused", reason: "token_expired" })).toBe("waiting: Paused — sign in again");
  expect(said({ phase: "paused", reason: "user_mismatch" })).toBe("waiting: Paused — somebody else is signed in");
  expect(said({ failed: 1, phase: "offline" })).toBe("attention: 1 change needs attention");
  expect(said({ failed: 1_200 })).toBe("attention: 1,200 changes need attention");
});

test("while a queue is sent, the sentence does not change with each batch", () => {
  const state = { phase: "pushing", pending: 40, progress: { done: 60, total: 100, bytes: 0 } } as const;
  expect(said(state)).toBe("busy: Sending 100 changes…");
  expect(said({ ...state, pending: 20, progress: { done: 80, total: 100, bytes: 0 } })).toBe(said(state));
});

test("the countdown is there only while something waits for it", () => {
  const waiting = { ...CALM, pending: 1, nextTryAt: 10_000 };
  expect(countdown(waiting, english, 7_400)).toBe("Next try in 3 s");
  expect(countdown(waiting, english, 10_000)).toBe("Trying again…");
  expect(countdown({ ...waiting, pending: 0 }, english, 7_400)).toBe("");
  expect(countdown({ ...waiting, phase: "pushing" }, english, 7_400)).toBe("");
});

test("what could cost data is warned of, worst first", () => {
  expect(warned({})).toEqual([]);
  expect(warned({ damaged: 1, storage: { ...STORAGE, evicted: true } })).toEqual(["evicted", "damaged"]);
  expect(warned({ storage: { ...STORAGE, usage: 96e8 } })).toEqual(["nearly-full"]);
  expect(warned({ storage: { ...STORAGE, usage: 1, quota: 2e7 } })).toEqual(["nearly-full"]);
  expect(warned({ clockSkewMs: -119_000 })).toEqual([]);
  expect(warned({ clockSkewMs: -121_000 })).toEqual(["clock"]);
});

test("a browser that may clear the data is an issue only while something has been unsent for long", () => {
  const storage = { ...STORAGE, persisted: false };
  expect(warned({ storage })).toEqual([]);
  expect(warned({ storage, pending: 1, oldestPendingAt: 990_000 })).toEqual([]);
  expect(warned({ storage, pending: 1, oldestPendingAt: 900_000 })).toEqual(["not-persisted"]);
  expect(warned({ storage, failed: 1 })).toEqual(["not-persisted"]);
});

test("a wrong clock is told in a unit that a person can compare", () => {
  const told = (clockSkewMs: number): string | undefined => warnings({ ...CALM, clockSkewMs }, english, 0)[0]?.text;
  expect(told(180_000)).toBe("The clock of this device is 3 minutes ahead.");
  expect(told(-7_300_000)).toBe("The clock of this device is 2 hours behind.");
  expect(told(365 * 86_400_000)).toBe("The clock of this device is 365 days ahead.");
});

test("an item says why it is where it is, in the server's own words if there are any", () => {
  const item = { status: "saved", code: null, message: null, because: null, attempts: 0, discarding: false } as const;
  const reason = (part: Partial<Parameters<typeof why>[0]>): string => why({ ...item, ...part }, english);
  expect(reason({})).toBe("");
  expect(reason({ attempts: 2 })).toBe("Tried 2 times; stays here until it arrives.");
  expect(reason({ status: "waiting", because: "w:1" })).toBe("Waits until what it belongs to is accepted.");
  expect(reason({ status: "waiting", code: "unmetered" })).toMatch(/Wi-Fi/);
  expect(reason({ status: "needs_attention", code: "forbidden" })).toMatch(/did not take this change \(forbidden\)/);
  expect(reason({ status: "needs_attention", code: "x", message: "Write a note." })).toBe("Write a note.");
  expect(reason({ status: "saved", discarding: true })).toMatch(/^Discarded here/);
});
