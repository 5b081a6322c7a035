import type { OutboxItem } from "../outbox.js";

const kinds = { create: "added", patch: "changed", delete: "deleted" } satisfies Record<OutboxItem["kind"], string>;

function number(count: number): string {
  return count.toLocaleString("en-GB");
}

function changes(count: number): string {
  return count === 1 ? "1 change" : `${number(count)} changes`;
}

function time(at: number): string {
  const date = new Date(at);
  const clock = { hour: "2-digit", minute: "2-digit" } as const;
  return date.toDateString() === new Date().toDateString()
    ? date.toLocaleTimeString("en-GB", clock)
    : date.toLocaleString("en-GB", { day: "numeric", month: "short", ...clock });
}

function megabytes(bytes: number): string {
  return `${number(Math.round(bytes / 1_000_000))} MB`;
}

function span(minutes: number): string {
  if (minutes < 120) return `${minutes} minutes`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} hours` : `${number(Math.round(hours / 24))} days`;
}

/**
 * What the elements say in English, and the shape of what they say in any other language: a text, or a
 * function from what it is about to a text. No sentence is put together from parts that another
 * language would order in another way.
 */
export const english = {
  /** A moment: today's by the clock, others with their day. */
  time,
  /** What a person calls the documents of a collection: `{ visits: "Visit" }`. */
  collections: {} as Record<string, string>,

  // === <landfall-status> ===
  sync: "Sync",
  opening: "Opening…",
  needAttention: (count: number): string =>
    count === 1 ? "1 change needs attention" : `${number(count)} changes need attention`,
  show: "Show",
  paused: "Sending is paused",
  pausedPending: (count: number): string => `Sending is paused — ${changes(count)} saved here`,
  pausedDetail: "What you save stays here for now.",
  signIn: "Paused — sign in again",
  signInDetail: (count: number): string => (count > 0 ? `${changes(count)} saved here; nothing is lost.` : ""),
  otherPerson: "Paused — somebody else is signed in",
  firstSync: "Getting your data for the first time…",
  fetched: (count: number): string => (count > 0 ? `${number(count)} so far` : ""),
  sending: (count: number): string => `Sending ${changes(count)}…`,
  progress: (done: number, total: number): string =>
    `${number(done)} of ${number(total)}`,
  waitingForNetwork: (count: number): string => `${changes(count)} saved here, waiting for the network`,
  waitingForNetworkDetail: "It goes by itself.",
  waitingForServer: (count: number): string => `${changes(count)} saved here, waiting for the server`,
  waitingForServerDetail: "It does not answer right now.",
  savedHere: (count: number): string => `${changes(count)} saved here`,
  savedHereDetail: "About to be sent.",
  notConnected: "Not connected yet",
  notConnectedDetail: "You can start; what you save stays here.",
  noNetwork: "No network",
  noNetworkDetail: "Everything you saved is on the server.",
  everything: "Everything is on the server",
  everythingElse: "Everything else is on the server",
  upToDate: (at: number): string => `Up to date at ${time(at)}`,
  nextTry: (seconds: number): string => `Next try in ${seconds} s`,
  tryingAgain: "Trying again…",
  evicted: "This browser has deleted what was kept here. What had reached the server is being fetched again.",
  damaged: (count: number): string =>
    count === 1
      ? "1 saved change cannot be read. It is kept, and is part of an export."
      : `${number(count)} saved changes cannot be read. They are kept, and are part of an export.`,
  nearlyFull: (free: number): string => `This device is nearly full: ${megabytes(free)} are left for this app.`,
  notPersisted: "The browser may clear what is saved here if this device runs short of space. Connect when you can.",
  clockAhead: (minutes: number): string => `The clock of this device is ${span(minutes)} ahead.`,
  clockBehind: (minutes: number): string => `The clock of this device is ${span(minutes)} behind.`,

  // === <landfall-outbox> ===
  outbox: "Outbox",
  nothingWaiting: "Nothing is waiting. What you save while offline is listed here until the server has it.",
  more: (count: number): string => `and ${changes(count)} more`,
  showMore: "Show more",
  statuses: {
    saved: "saved here",
    sending: "sending",
    waiting: "waiting",
    paused: "paused",
    accepted: "accepted",
    needs_attention: "needs attention",
  } satisfies Record<OutboxItem["status"], string>,
  /** What was done: "Visit changed". */
  what: (collection: string, kind: OutboxItem["kind"]): string => `${collection} ${kinds[kind]}`,
  together: (count: number): string => `with ${changes(count)} that ${count === 1 ? "belongs" : "belong"} to it`,
  refused: (code: string | null): string => `The server did not take this change (${code ?? "no reason given"}).`,
  suspect: "The server fails whenever this change is sent. It is tried again every hour.",
  waitsForUnmetered: "Waits for a network that is not paid for by volume, such as Wi-Fi.",
  waitsForEarlier: "Waits for an earlier change.",
  waitsForParent: "Waits until what it belongs to is accepted.",
  tried: (times: number): string => `Tried ${times === 1 ? "once" : `${times} times`}; stays here until it arrives.`,
  discarding: "Discarded here. The server is being asked whether it had arrived already.",
  retry: "Retry",
  edit: "Edit",
  discard: "Discard",
  reallyDiscard: "Really discard?",
  export: "Export",
  retried: "It is sent again.",
  discarded: "It is discarded.",
  failed: (error: unknown): string => `That did not work: ${error instanceof Error ? error.message : String(error)}`,

  // === <landfall-conflicts> ===
  conflicts: "Conflicts",
  noConflicts: "Nobody changed the same thing at the same time. When that happens, both versions are kept here.",
  conflictsNeedNetwork: "Both versions are kept on the server; connect to see them.",
  yours: "Yours",
  theirs: "Theirs",
  stands: "stands",
  lost: "kept aside",
  keep: "Keep this",
  putBack: "Put back",
  needsNetwork: "Choosing needs the network.",
  kept: "It stays as it is.",
  wasPutBack: "It is put back.",
  settled: (count: number): string => `Settled (${number(count)})`,
  settledBy: (by: string, at: number): string => `Settled by ${by}, ${time(at)}`,
  person: (user: string): string => user,
  field: (path: string): string => path.split("/").slice(1).join(" › "),
  wholeDocument: "the whole of it",
  removed: "removed",
  deleted: "deleted",
  empty: "empty",
  yes: "yes",
  no: "no",
  manyChanges: "There are more conflicts than are shown here.",
};

/** The texts of all elements; see {@link english}. */
export type Words = typeof english;
