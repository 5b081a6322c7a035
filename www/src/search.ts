/** Which visits somebody is looking for. */
import type { OutboxItem } from "landfall";
import type { VisitRow } from "./records";

/** `unaccepted`: what the server does not have yet, or has refused. */
export type Show = "all" | "planned" | "done" | "unaccepted";

export interface Search {
  text: string;
  /** A site's id; empty for all. */
  site: string;
  show: Show;
}

export const EVERYTHING: Readonly<Search> = { text: "", site: "", show: "all" };

/** Whether anything is left out by it. */
export function narrows({ text, site, show }: Search): boolean {
  return text.trim() !== "" || site !== "" || show !== "all";
}

/** What a row is asked. Every word of the text has to be somewhere in it, in any order, whatever the accents. */
export function matcher(
  { text, show }: Search,
  siteNames: ReadonlyMap<string, string>,
  entries: ReadonlyMap<string, OutboxItem>,
): (visit: VisitRow) => boolean {
  const words = plain(text).split(/\s+/).filter(Boolean);
  return (visit) => {
    if (show === "unaccepted" && (entries.get(visit.id)?.status ?? "accepted") === "accepted") return false;
    if (words.length === 0) return true;
    const said = plain([siteNames.get(visit.site), visit.inspector, visit.notes, ...(visit.tags ?? [])].join(" "));
    return words.every((word) => said.includes(word));
  };
}

function plain(text: string): string {
  return text.normalize("NFD").replace(/\p{Mn}/gu, "").toLowerCase();
}
