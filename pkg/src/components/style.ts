/**
 * Colours and measures of all elements. Every pair of ink and ground has a contrast of at least 4.5,
 * most have 7: the page is read in the sun. The page's `color-scheme` decides between light and dark;
 * every colour can be replaced by setting the custom property of its name.
 */
export const COMMON: string = `
:host {
  --_ground: var(--landfall-ground, light-dark(#fffefb, #17201d));
  --_ink: var(--landfall-ink, light-dark(#14201b, #eef4f0));
  --_soft: var(--landfall-ink-soft, light-dark(#4a5750, #b3c0b9));
  --_line: var(--landfall-line, light-dark(#d5d0c3, #33413b));
  --_strong: var(--landfall-line-strong, light-dark(#7d8880, #7f8f87));
  --_accent: var(--landfall-accent, light-dark(#0d5244, #7ad9bb));
  --_focus: var(--landfall-focus, light-dark(#0b63c5, #8cc4ff));
  --_calm: var(--landfall-calm, light-dark(#0b4638, #b4f0dc));
  --_busy: var(--landfall-busy, light-dark(#0b5aa8, #93c8ff));
  --_waiting: var(--landfall-waiting, light-dark(#6b4a00, #f2ca75));
  --_attention: var(--landfall-attention, light-dark(#97290f, #ffb49c));
  --_attention-ground: var(--landfall-attention-ground, light-dark(#fdeee6, #34190f));
  --_radius: var(--landfall-radius, 1rem);
  display: block;
  /* Long names are cut off inside; they do not make the page wider. */
  min-width: 0;
  color: var(--_ink);
  line-height: 1.45;
}

:host([hidden]), [hidden] { display: none !important; }

*, ::before, ::after { box-sizing: border-box; }

p, h2, h3, ul, dl, dd { margin: 0; padding: 0; }
ul { list-style: none; }
h2 { font-size: 1.375rem; letter-spacing: -0.01em; margin-bottom: 0.75rem; }
h2:focus { outline: none; }

.box {
  overflow: hidden;
  border: 1px solid var(--_line);
  border-radius: var(--_radius);
  background: var(--_ground);
}

.line { display: flex; justify-content: space-between; align-items: baseline; gap: 0.75rem; }
.soft { color: var(--_soft); font-size: 0.9375rem; font-variant-numeric: tabular-nums; }
time { white-space: nowrap; }
.actions { display: flex; flex-wrap: wrap; gap: 0.5rem; margin-top: 0.6rem; }

button {
  min-width: 3rem;
  min-height: 3rem;
  padding: 0 1rem;
  border: 1px solid var(--_strong);
  border-radius: calc(var(--_radius) * 0.75);
  background: var(--_ground);
  color: inherit;
  font: inherit;
  font-weight: 600;
  cursor: pointer;
  touch-action: manipulation;
}

button.danger { border-color: currentColor; color: var(--_attention); }
button[aria-disabled="true"] { border-style: dashed; color: var(--_soft); cursor: default; }

:focus-visible { outline: 3px solid var(--_focus); outline-offset: 2px; }

svg {
  flex: none;
  width: 1.15em;
  height: 1.15em;
  fill: none;
  stroke: currentColor;
  stroke-width: 2.2;
  stroke-linecap: round;
  stroke-linejoin: round;
}

/* For ears only. */
.unseen {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}

@media (prefers-reduced-motion: reduce) {
  *, ::before, ::after {
    animation-duration: 0.01ms !important;
    animation-iteration-count: 1 !important;
    transition-duration: 0.01ms !important;
  }
}
`;
