/** What the app stores. The server knows the same two collections from `landfall.yaml`. */
import type { Row } from "landfall";
import * as v from "valibot";

export const Site = v.object({
  name: v.pipe(v.string(), v.nonEmpty("Give the site a name.")),
  address: v.optional(v.string(), ""),
});

export const Visit = v.object({
  /** The site's id. */
  site: v.pipe(v.string(), v.nonEmpty("Choose a site.")),
  inspector: v.pipe(v.string(), v.nonEmpty("Say who makes the visit.")),
  /** A day, not an instant: a visit is due where the site is, whatever the time zone. */
  dueAt: v.pipe(v.string(), v.isoDate("Choose a day.")),
  status: v.optional(v.picklist(["planned", "done"]), "planned"),
  /** From 1 (poor) to 5 (good); `null` until someone has been there. */
  rating: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(5))), null),
  /** Which points have been looked at. Two people who tick different ones both did. */
  checklist: v.optional(v.record(v.string(), v.boolean())),
  /** How many photos were taken: a counter, absent until the first. */
  photos: v.optional(v.number()),
  /** What was found: a set, absent until the first. */
  tags: v.optional(v.array(v.string())),
  // That a finished visit needs a note is left to the server: it shows what becomes of a refused write.
  notes: v.optional(v.string(), ""),
  createdAt: v.optional(v.pipe(v.string(), v.isoTimestamp()), () => new Date().toISOString()),
});

/** What every visit looks at, by its name in `checklist`. */
export const CHECKLIST: readonly { name: string; label: string }[] = [
  { name: "access", label: "Access and keys" },
  { name: "fence", label: "Fence and doors" },
  { name: "pumps", label: "Pumps and meters" },
  { name: "electrics", label: "Electrics" },
  { name: "clean", label: "Left clean and locked" },
];

/** What is found most, as `tags` has it. */
export const FINDINGS = ["Leak", "Rust", "Noise", "Damage", "Overgrown"] as const;

export type Site = v.InferOutput<typeof Site>;
export type Visit = v.InferOutput<typeof Visit>;
export type SiteRow = Row<Site>;
export type VisitRow = Row<Visit>;

/** The first complaint about each field, by the field's name; empty when `value` fits. */
export function complaints(schema: v.GenericSchema, value: unknown): Record<string, string> {
  const result = v.safeParse(schema, value);
  const found: Record<string, string> = {};
  for (const issue of result.issues ?? []) {
    const field = String(issue.path?.[0]?.key ?? "");
    found[field] ??= issue.message;
  }
  return found;
}

/** How many points of the checklist are done. */
export function checked({ checklist }: Pick<Visit, "checklist">): number {
  return CHECKLIST.filter(({ name }) => checklist?.[name] === true).length;
}

/** Those fields of `next` that differ from `before`: nobody else's edit is overwritten with what stood there. */
export function changes<T extends object>(before: T, next: Partial<T>): Partial<T> {
  const changed: Partial<T> = {};
  for (const key of Object.keys(next) as (keyof T)[]) {
    const value = next[key];
    if (value !== undefined && value !== before[key]) changed[key] = value;
  }
  return changed;
}
