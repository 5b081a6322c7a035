import type { Sync, SyncState } from "../sync.js";
import { arrange, define, glyph, h, LandfallElement, set, write } from "./element.js";
import { countdown, sentence, type Tone, warnings } from "./sentence.js";
import { COMMON } from "./style.js";

/** What the status follows: an open database. */
export interface StatusSource {
  readonly sync: Pick<Sync, "state" | "subscribe">;
}

const GLYPHS: Record<Tone, string> = {
  calm: "M20 7 9.5 17.5 4 12",
  busy: "M12 19V5M6 11l6-6 6 6",
  waiting: "M12 7.500V12l3 2M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
  attention: "M12 8v5M12 16.5v.1M12 3 2.5 20h19z",
};

/** A bar for what is over before it is read would only flicker. */
const BAR_AFTER_MS = 1_000;
/** A sentence that is replaced sooner than this is not said: a write that works makes three of them. */
const SAID_AFTER_MS = 1_000;
const TICK_MS = 1_000;

const STYLE = `
.now { display: flex; align-items: center; gap: 0.75rem; min-height: var(--landfall-status-height, 7rem); padding: 0.75rem 1rem; position: relative; }
.glyph { display: grid; flex: none; place-items: center; width: 2.25rem; height: 2.25rem; border-radius: 50%; }
.glyph { background: color-mix(in srgb, var(--_tone) 15%, var(--_ground)); color: var(--_tone); font-size: 1.05rem; }
.words { flex: 1; min-width: 0; }
.sentence { font-weight: 650; line-height: 1.3; }
.detail { min-height: 1.4em; }
a { padding: 0.75rem 0; color: var(--_attention); font-weight: 600; text-underline-offset: 0.2em; }
/* As large as a thumb, without moving a word. */
a::after { content: ""; position: absolute; inset: 0; }
a:focus-visible { outline-offset: -3px; }
.bar { height: 0.25rem; }
progress { display: block; width: 100%; height: 100%; border: 0; background: none; appearance: none; }
progress::-webkit-progress-bar { background: none; }
progress::-webkit-progress-value { background: var(--_accent); transition: inline-size 0.2s; }
progress::-moz-progress-bar { background: var(--_accent); }
progress:indeterminate {
  background: linear-gradient(90deg, transparent, var(--_accent), transparent) 0 0 / 50% 100% no-repeat;
  animation: to-and-fro 1.6s ease-in-out infinite alternate;
}
@keyframes to-and-fro { to { background-position: 100% 0; } }
.warnings li { padding: 0.6rem 1rem; border-top: 1px solid var(--_line); color: var(--_waiting); font-size: 0.9375rem; }
.warnings li[data-kind="evicted"], .warnings li[data-kind="damaged"] { color: var(--_attention); }
:host { --_tone: var(--_waiting); }
[data-tone="calm"] { --_tone: var(--_calm); }
[data-tone="busy"] { --_tone: var(--_busy); }
[data-tone="attention"] { --_tone: var(--_attention); }
`;

/**
 * `<landfall-status>`: one calm sentence on what happens to what was saved, a line of detail, progress
 * of what takes longer, and warnings of what could cost data.
 *
 * It keeps room for four lines, so that what stands below never moves; an app whose words need fewer sets
 * `--landfall-status-height`.
 *
 * Attribute `href`: where the changes that need attention are; then there is a link to them.
 * Parts: `box`, `glyph`, `sentence`, `detail`, `link`, `bar`, `warning`. `data-tone` of the box is
 * `calm`, `busy`, `waiting` or `attention`.
 */
export class LandfallStatus extends LandfallElement<StatusSource> {
  static readonly observedAttributes = ["href"];

  readonly #glyph = glyph();
  readonly #sentence = h("p", { class: "sentence", part: "sentence", "aria-hidden": "true" });
  readonly #said = h("p", { class: "unseen", role: "status" });
  readonly #detail = h("p", { class: "detail soft", part: "detail" });
  readonly #link = h("a", { part: "link" });
  readonly #bar = h("div", { class: "bar", part: "bar" });
  readonly #warnings = h("ul", { class: "warnings" });
  readonly #box = h(
    "section",
    { class: "box", part: "box" },
    h(
      "div",
      { class: "now" },
      h("span", { class: "glyph", part: "glyph" }, this.#glyph.element),
      h("div", { class: "words" }, this.#sentence, this.#said, this.#detail),
      this.#link,
    ),
    this.#bar,
    this.#warnings,
  );
  #state: SyncState | undefined;
  #timers = new Timers();

  constructor() {
    super([COMMON, STYLE]);
    this.root.append(this.#box);
  }

  attributeChangedCallback(): void {
    this.changed();
  }

  protected follow({ sync }: StatusSource): (() => void)[] {
    return [
      sync.subscribe((state) => {
        this.#state = state;
        this.changed();
      }),
      () => this.#timers.clear(),
    ];
  }

  protected reset(): void {
    this.#state = undefined;
    write(this.#said, "");
  }

  protected render(): void {
    const { words } = this;
    const state = this.#state;
    const now = Date.now();
    const said = state ? sentence(state, words) : { tone: "waiting" as const, sentence: words.opening, detail: "" };
    const left = state && said.tone !== "attention" ? countdown(state, words, now) : "";
    set(this.#box, "aria-label", words.sync);
    set(this.#box, "data-tone", said.tone);
    this.#glyph.draw(GLYPHS[said.tone]);
    write(this.#sentence, said.sentence);
    write(this.#detail, left || said.detail);
    write(this.#link, words.show);
    const href = this.getAttribute("href");
    set(this.#link, "href", href);
    set(this.#link, "hidden", href === null || said.tone !== "attention");
    this.#say(said.sentence);
    this.#progress(state, said.sentence);
    const warned = state ? warnings(state, words, now) : [];
    arrange(this.#warnings, warned.map(({ kind, text }, i) => {
      const line = this.#warnings.children[i] ?? h("li", { part: "warning" });
      set(line, "data-kind", kind);
      write(line, text);
      return line;
    }));
    // The countdown stands beside the live sentence, not in it: nobody wants every second read aloud.
    this.#timers.run("tick", left !== "", TICK_MS, () => this.changed());
  }

  /** Has the sentence read aloud once it has stood for a while. */
  #say(sentence: string): void {
    if (this.#said.textContent === "") return write(this.#said, sentence);
    if (this.#said.textContent === sentence) return this.#timers.run("say", false);
    this.#timers.run("say", true, SAID_AFTER_MS, () => write(this.#said, this.#sentence.textContent ?? ""));
  }

  #progress(state: SyncState | undefined, label: string): void {
    const working = state?.phase === "first_sync" || (state?.phase === "pushing" && state.pending > 0);
    if (!state || !working) {
      this.#timers.run("bar", false);
      this.#bar.replaceChildren();
      return;
    }
    const bar = this.#bar.querySelector("progress");
    if (!bar) {
      return this.#timers.run("bar", true, BAR_AFTER_MS, () => {
        this.#bar.append(h("progress"));
        this.changed();
      });
    }
    const { done, total } = state.progress;
    set(bar, "aria-label", label);
    set(bar, "max", total > 0 ? String(total) : null);
    set(bar, "value", total > 0 ? String(done) : null);
  }
}

/** One timer for each purpose; one that is wanted again while it runs goes on running. */
class Timers {
  readonly #running = new Map<string, ReturnType<typeof setTimeout>>();

  run(name: string, wanted: boolean, after = 0, then = (): void => {}): void {
    const running = this.#running.get(name);
    if (wanted === (running !== undefined)) return;
    if (running !== undefined) {
      clearTimeout(running);
      this.#running.delete(name);
      return;
    }
    const timer = setTimeout(() => {
      this.#running.delete(name);
      then();
    }, after);
    this.#running.set(name, timer);
  }

  clear(): void {
    for (const timer of this.#running.values()) clearTimeout(timer);
    this.#running.clear();
  }
}

define("landfall-status", LandfallStatus);

declare global {
  interface HTMLElementTagNameMap {
    "landfall-status": LandfallStatus;
  }
}
