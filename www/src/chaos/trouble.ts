/**
 * What can be made to go wrong for one device of the demonstration. The page around the devices writes it, the
 * devices read it, and it outlives a reload of either.
 */
import { keyOf } from "../device";

export const TROUBLES = ["offline", "slow", "errors", "lost", "clock"] as const;

export type Trouble = (typeof TROUBLES)[number];

export const TROUBLE_WORDS: Record<Trouble, { label: string; effect: string }> = {
  offline: { label: "No network", effect: "Every request fails." },
  slow: { label: "Slow network", effect: "Three seconds there, three back." },
  errors: { label: "Server errors", effect: "Every answer is a 503." },
  lost: { label: "Lost replies", effect: "Changes arrive, their answers do not." },
  clock: { label: "Wrong clock", effect: "The clock is three days ahead." },
};

const KEY = "trouble";

export function troublesOf(device: string): ReadonlySet<Trouble> {
  const names = (localStorage.getItem(keyOf(device, KEY)) ?? "").split(" ");
  return new Set(TROUBLES.filter((trouble) => names.includes(trouble)));
}

export function setTroubles(device: string, troubles: ReadonlySet<Trouble>): void {
  localStorage.setItem(keyOf(device, KEY), [...troubles].join(" "));
}

/** Calls `listener` whenever another page changes them. */
export function onTroubles(device: string, listener: (troubles: ReadonlySet<Trouble>) => void): void {
  addEventListener("storage", (event) => {
    if (event.key === keyOf(device, KEY)) listener(troublesOf(device));
  });
}
