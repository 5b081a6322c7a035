/** What the app says about its state, in words a person uses. No markup and no clock, so that every sentence can be read here. */
import type { OutboxItem, SyncState } from "landfall";

export type SyncStatus = OutboxItem["status"];
export type Tone = "calm" | "busy" | "waiting" | "attention";

/** What the status line shows: one sentence, one line of detail, and how it feels. */
export interface StatusWords {
  tone: Tone;
  sentence: string;
  detail: string;
}

export function statusWords(state: SyncState, workingOffline: boolean): StatusWords {
  const flow = flowWords(state, workingOffline);
  if (state.failed === 0) return flow;
  // Only a person can do something about these, so they come first; the rest goes on by itself.
  const sentence = state.failed === 1 ? "1 change needs attention" : `${state.failed} changes need attention`;
  return { tone: "attention", sentence, detail: flow.sentence };
}

/** The state of what needs nobody's help. */
function flowWords(state: SyncState, workingOffline: boolean): StatusWords {
  const { pending, phase } = state;
  const saved = `${changeCount(pending)} saved here`;
  if (workingOffline) {
    return pending > 0
      ? { tone: "waiting", sentence: `Working offline — ${saved}`, detail: "Sent when you switch back." }
      : { tone: "waiting", sentence: "Working offline", detail: "What you save stays here for now." };
  }
  if (phase === "paused") {
    return { tone: "waiting", sentence: "Paused — sign in again", detail: pending > 0 ? `${saved}; nothing is lost.` : "" };
  }
  if (phase === "first_sync") {
    return { tone: "busy", sentence: "Getting the visits of your team…", detail: progressWords(state) };
  }
  if (pending > 0) {
    if (phase === "pushing") return { tone: "busy", sentence: `Sending ${changeCount(pending)}…`, detail: progressWords(state) };
    if (phase === "offline" || !state.online) {
      return { tone: "waiting", sentence: `${saved}, waiting for the network`, detail: "It goes by itself." };
    }
    if (state.nextTryAt !== null) {
      return { tone: "waiting", sentence: `${saved}, waiting for the server`, detail: "It does not answer right now." };
    }
    return { tone: "busy", sentence: saved, detail: "About to be sent." };
  }
  if (state.lastSyncedAt === null) {
    return { tone: "waiting", sentence: "Not connected yet", detail: "You can start; what you save stays here." };
  }
  if (phase === "offline" || !state.online) {
    return { tone: "waiting", sentence: "No network", detail: "Everything you saved is on the server." };
  }
  const sentence = state.failed === 0 ? "Everything is on the server" : "Everything else is on the server";
  return { tone: "calm", sentence, detail: `Up to date at ${timeWords(state.lastSyncedAt)}` };
}

function progressWords({ progress }: SyncState): string {
  return progress.total > 0 ? `${numberWords(progress.done)} of ${numberWords(progress.total)}` : "";
}

/** Counts down to the next attempt; empty when none is due, or when there is nothing to be impatient about. */
export function nextTryWords(state: SyncState, now: number): string {
  if (state.nextTryAt === null || state.pending === 0 || state.phase === "pushing") return "";
  const seconds = Math.ceil((state.nextTryAt - now) / 1_000);
  return seconds > 0 ? `Next try in ${seconds} s` : "Trying again…";
}

export const STATUS_WORDS: Record<SyncStatus, string> = {
  saved: "saved here",
  sending: "sending",
  waiting: "waiting",
  paused: "paused",
  accepted: "accepted",
  needs_attention: "needs attention",
};

/** When one visit has several writes under way, the least settled one speaks for it. */
const STATUS_ORDER: readonly SyncStatus[] = ["needs_attention", "paused", "waiting", "sending", "saved", "accepted"];

export function leastSettled(one: SyncStatus, other: SyncStatus): SyncStatus {
  return STATUS_ORDER.indexOf(one) < STATUS_ORDER.indexOf(other) ? one : other;
}

const COLLECTION_WORDS: Record<string, string> = { visits: "Visit", sites: "Site" };
const KIND_WORDS: Record<OutboxItem["kind"], string> = { create: "added", patch: "changed", delete: "deleted" };

/** "Visit changed", "Site added". */
export function writeWords(item: OutboxItem): string {
  return `${COLLECTION_WORDS[item.collection] ?? item.collection} ${KIND_WORDS[item.kind]}`;
}

/** Why an entry is where it is. The server's own message is written for people and comes first. */
export function reasonWords(item: OutboxItem): string {
  if (item.status === "needs_attention") return item.message ?? `The server did not take this change (${item.code ?? "no reason given"}).`;
  if (item.status === "waiting") return item.because === null ? "Waits for an earlier change." : "Waits until what it belongs to is accepted.";
  if (item.status === "saved" && item.attempts > 0) return `Tried ${item.attempts === 1 ? "once" : `${item.attempts} times`}; stays here until it arrives.`;
  return "";
}

export function errorWords(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  switch (code) {
    case "storage_full":
      return "This device has no space left, so this was not saved. Free some space and press Save again.";
    case "storage_unavailable":
      return "The browser did not let this be saved. Press Save again; if that does not help, load the page again.";
    case "core_crashed":
      return "The app had to stop. What was saved before is safe; load the page again and repeat this one.";
    default:
      return `This was not saved: ${error instanceof Error ? error.message : String(error)}`;
  }
}

export function changeCount(count: number): string {
  return count === 1 ? "1 change" : `${numberWords(count)} changes`;
}

function numberWords(count: number): string {
  return count.toLocaleString("en-GB");
}

export function timeWords(milliseconds: number): string {
  return new Date(milliseconds).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}
