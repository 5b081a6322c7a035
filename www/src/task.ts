/** What a form is opened for. */
import type { SiteRow, VisitRow } from "./records";

export type VisitTask =
  | { kind: "new" }
  | { kind: "change"; visit: VisitRow };

export type SiteTask =
  | { kind: "new" }
  | { kind: "change"; site: SiteRow };

/** The name under which a half-typed visit is kept. */
export function draftOf(task: VisitTask): string {
  switch (task.kind) {
    case "new":
      return "new visit";
    case "change":
      return `visit ${task.visit.id}`;
  }
}

export function siteDraftOf(task: SiteTask): string {
  switch (task.kind) {
    case "new":
      return "new site";
    case "change":
      return `site ${task.site.id}`;
  }
}
