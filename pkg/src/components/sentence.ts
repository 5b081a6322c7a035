import type { StorageState, SyncState } from "../sync.js";
import type { Words } from "./words.js";

export type Tone = "calm" | "busy" | "waiting" | "attention";

/** How things stand, in one sentence and one line of detail. */
export interface Sentence {
  readonly tone: Tone;
  readonly sentence: string;
  readonly detail: string;
}

/** Codes of a pause that somebody else's token explains. */
const OTHER_PERSON: ReadonlySet<string> = new Set(["user_mismatch", "tenant_mismatch", "writer_mismatch"]);
/** Codes of a pause that a sign-in ends. */
const SIGNED_OUT: ReadonlySet<string> = new Set(["signed_out", "invalid_token", "token_expired"]);

/** Less than this is the journey of a message, and no clock to worry about. */
const SKEW_SHOWN_MS = 120_000;
const FULL_SHARE = 0.9;
const FREE_BYTES_MIN = 50_000_000;
/** Longer than a write takes on any network that works: the warning must not come and go with each one. */
const UNSENT_MS = 60_000;

/** What the status says of `state`. */
export function sentence(state: SyncState, words: Words): Sentence {
  const flow = flowing(state, words);
  if (state.failed === 0) return flow;
  // Only a person can do something about these, so they come first; the rest goes on by itself.
  return { tone: "attention", sentence: words.needAttention(state.failed), detail: flow.sentence };
}

/** The state of what needs nobody's help. */
function flowing(state: SyncState, words: Words): Sentence {
  const { pending, phase, progress, reason } = state;
  const waiting = (sentence: string, detail: string): Sentence => ({ tone: "waiting", sentence, detail });
  const busy = (sentence: string, detail: string): Sentence => ({ tone: "busy", sentence, detail });
  switch (phase) {
    case "paused":
      if (reason !== null && OTHER_PERSON.has(reason)) return waiting(words.otherPerson, words.signInDetail(pending));
      if (reason !== null && SIGNED_OUT.has(reason)) return waiting(words.signIn, words.signInDetail(pending));
      return waiting(pending > 0 ? words.pausedPending(pending) : words.paused, words.pausedDetail);
    case "first_sync":
      return busy(words.firstSync, progress.total > 0 ? words.progress(progress.done, progress.total) : words.fetched(progress.done));
    case "pushing":
      // The sentence names the whole round, which stays; what is left to do would be said again for each batch.
      if (pending > 0) {
        const done = progress.total > 0 ? words.progress(progress.done, progress.total) : "";
        return busy(words.sending(Math.max(pending, progress.total)), done);
      }
      break;
    case "offline":
    case "pulling":
    case "idle":
      break;
  }
  const offline = phase === "offline" || !state.online;
  if (pending > 0) {
    if (offline) return waiting(words.waitingForNetwork(pending), words.waitingForNetworkDetail);
    if (state.nextTryAt !== null) return waiting(words.waitingForServer(pending), words.waitingForServerDetail);
    return busy(words.savedHere(pending), words.savedHereDetail);
  }
  if (state.lastSyncedAt === null) return waiting(words.notConnected, words.notConnectedDetail);
  if (offline) return waiting(words.noNetwork, words.noNetworkDetail);
  const everything = state.failed === 0 ? words.everything : words.everythingElse;
  return { tone: "calm", sentence: everything, detail: words.upToDate(state.lastSyncedAt) };
}

/** Counts down to the next attempt; empty when none is due, or nothing is waiting for it. */
export function countdown(state: SyncState, words: Words, now: number): string {
  if (state.nextTryAt === null || state.pending === 0 || state.phase === "pushing") return "";
  const seconds = Math.ceil((state.nextTryAt - now) / 1_000);
  return seconds > 0 ? words.nextTry(seconds) : words.tryingAgain;
}

/** A warning, with the name by which a style sheet can know it. */
export interface Warning {
  readonly kind: "evicted" | "damaged" | "nearly-full" | "not-persisted" | "clock";
  readonly text: string;
}

/** What could cost the person something, worst first. */
export function warnings(state: SyncState, words: Words, now: number): Warning[] {
  const found: Warning[] = [];
  const { storage, damaged, clockSkewMs, oldestPendingAt } = state;
  if (storage.evicted) found.push({ kind: "evicted", text: words.evicted });
  if (damaged > 0) found.push({ kind: "damaged", text: words.damaged(damaged) });
  const free = freeWhenScarce(storage);
  if (free !== null) found.push({ kind: "nearly-full", text: words.nearlyFull(free) });
  const unsent = state.failed > 0 || (oldestPendingAt !== null && now - oldestPendingAt > UNSENT_MS);
  if (storage.persisted === false && unsent) found.push({ kind: "not-persisted", text: words.notPersisted });
  if (Math.abs(clockSkewMs) > SKEW_SHOWN_MS) {
    const minutes = Math.round(Math.abs(clockSkewMs) / 60_000);
    found.push({ kind: "clock", text: clockSkewMs > 0 ? words.clockAhead(minutes) : words.clockBehind(minutes) });
  }
  return found;
}

function freeWhenScarce({ usage, quota }: StorageState): number | null {
  if (usage === null || quota === null || quota === 0) return null;
  const free = Math.max(0, quota - usage);
  return usage / quota >= FULL_SHARE || free < FREE_BYTES_MIN ? free : null;
}
