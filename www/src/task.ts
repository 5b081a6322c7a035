/** What a form is opened for. */
import type { OutboxItem } from "landfall";
import type { SiteRow, VisitRow } from "./records";

/** `mend`: the server refused it; the row is what it would have been. */
export type VisitTask =
  | { kind: "new" }
  | { kind: "change"; visit: VisitRow }
  | { kind: "mend"; visit: VisitRow; item: OutboxItem };

export type SiteTask =
  | { kind: "new" }
  | { kind: "change"; site: SiteRow }
  | { kind: "mend"; site: SiteRow; item: OutboxItem };

/** The name under which a half-typed visit is kept. */
export function draftOf(task: VisitTask): string {
  switch (task.kind) {
    case "new":
      return "new visit";
    case "change":
      return `visit ${task.visit.id}`;
    case "mend":
      return `refused ${task.item.id}`;
  }
}

export function siteDraftOf(task: SiteTask): string {
  switch (task.kind) {
    case "new":
      return "new site";
    case "change":
      return `site ${task.site.id}`;
    case "mend":
      return `refused ${task.item.id}`;
  }
}

/**
 * A row as a refused write would have left it: `row` is what is seen without it. Only whole fields are laid on
 * top; what was written inside of one stays in the item, and goes along when that is edited.
 */
export function asRefused<R extends { readonly id: string }>(row: R, item: OutboxItem): R {
  const fields = (item.fields ?? []).filter(({ path, op, value }) => op === "set" && path.lastIndexOf("/") === 0 && value !== undefined);
  return { ...row, ...Object.fromEntries(fields.map(({ path, value }) => [path.slice(1), value])) };
}
