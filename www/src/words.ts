/** What the app says about writes, in words a person uses. No markup and no clock, so that every sentence can be read here. */
import type { OutboxItem } from "landfall";
import type { Words } from "landfall/components";
import { nameOf } from "./person";

export type SyncStatus = OutboxItem["status"];

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

/** Why a write was refused. The server's own message is written for people and comes first. */
export function refusalWords({ message, code }: OutboxItem): string {
  return message ?? `The server did not take this change (${code ?? "no reason given"}).`;
}

/** Why there is nothing to be seen. */
export function openErrorWords(error: unknown): string {
  switch (codeOf(error)) {
    case "storage_unavailable":
      return "This browser does not let the app keep anything. A private window or a full disk can be the reason.";
    case "core_unavailable":
      return "A part of the app could not be loaded. Connect to the network and try again.";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

export function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

/** Why something was not saved, and what helps. */
export function errorWords(error: unknown): string {
  switch (codeOf(error)) {
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

export function byteWords(bytes: number): string {
  const [size, unit] = bytes < 1e6 ? [bytes / 1e3, "kB"] : bytes < 1e9 ? [bytes / 1e6, "MB"] : [bytes / 1e9, "GB"];
  return `${size.toLocaleString("en-GB", { maximumFractionDigits: size < 10 ? 1 : 0 })} ${unit}`;
}

const COLLECTIONS: Words["collections"] = { visits: "Visit", sites: "Site" };

/** What the status says otherwise than the component does by itself. */
export function statusWords(guest: boolean, workingOffline: boolean): Partial<Words> {
  const always = {
    firstSync: "Getting your team's visits…",
    notPersisted: "This browser may clear what is not sent yet if the device runs short of space.",
  };
  if (guest) {
    return {
      ...always,
      signIn: "Kept on this device only",
      signInDetail: (count) => (count > 0 ? `${changeCount(count)}, sent once you sign in.` : "You can begin before you sign in."),
    };
  }
  if (!workingOffline) return always;
  return {
    ...always,
    paused: "Working offline",
    pausedPending: (count) => `Working offline — ${changeCount(count)} saved here`,
    pausedDetail: "Sent when you switch back.",
  };
}

const FIELDS: Record<string, string> = {
  site: "Site",
  inspector: "Inspector",
  dueAt: "Due",
  status: "Status",
  rating: "Rating",
  notes: "Notes",
  checklist: "Checklist",
  name: "Name",
  address: "Address",
};

/** What two people changed: in their names and in those of the form. */
export const CONFLICT_WORDS: Partial<Words> = {
  collections: COLLECTIONS,
  person: nameOf,
  field: (path) => path.split("/").slice(1).map((key) => FIELDS[key] ?? key).join(" › "),
};

export const OUTBOX_WORDS: Partial<Words> = { collections: COLLECTIONS };
