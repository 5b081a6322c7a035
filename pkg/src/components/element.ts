import type { LandfallError } from "../errors.js";
import { english, type Words } from "./words.js";

/** In Node there are no elements: then nothing is ever made of the classes that extend this. */
const Native = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

/**
 * What the elements have in common: a database to follow while they are in a page, words, and one
 * rendering for each turn in which something changed.
 *
 * Everything is built with `createElement` and constructed style sheets: no markup is parsed and no
 * inline style is used, so the strictest content policy lets it be.
 */
export abstract class LandfallElement<Source> extends Native {
  protected readonly root: ShadowRoot;
  #db: Source | null = null;
  #words: Words = english;
  #stops: (() => void)[] = [];
  #due = false;

  constructor(styles: readonly string[]) {
    super();
    this.root = this.attachShadow({ mode: "open" });
    this.root.adoptedStyleSheets = styles.map(sheet);
  }

  /** The database to show; `null` until there is one. */
  get db(): Source | null {
    return this.#db;
  }

  set db(db: Source | null) {
    this.#db = db ?? null;
    if (this.isConnected) this.#follow();
  }

  /** Texts that replace the English ones; those that are left out stay. */
  get words(): Words {
    return this.#words;
  }

  set words(words: Partial<Words>) {
    this.#words = { ...english, ...words };
    this.changed();
  }

  connectedCallback(): void {
    // What was set before the class was there hides the accessors of the same name.
    const prototype: object = Object.getPrototypeOf(this);
    for (const name of Object.keys(this) as (keyof this)[]) {
      if (!(name in prototype)) continue;
      const value = this[name];
      delete this[name];
      this[name] = value;
    }
    this.#follow();
  }

  disconnectedCallback(): void {
    this.#unfollow();
  }

  /** Subscribes to what is shown; gives what ends that. */
  protected abstract follow(db: Source): (() => void)[];

  /** Forgets what came from the last database. */
  protected abstract reset(): void;

  protected abstract render(): void;

  /** Renders once this turn is over. */
  protected changed(): void {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      if (this.isConnected) this.render();
    });
  }

  /** Asks the app; `false` if it took the matter into its own hands. */
  protected ask(name: string, detail: unknown): boolean {
    return this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true }));
  }

  #follow(): void {
    this.#unfollow();
    this.reset();
    this.changed();
    if (!this.#db) return;
    try {
      this.#stops = this.follow(this.#db);
    } catch (error) {
      // An app may close its database before it takes the elements out of the page; then nothing is shown.
      if ((error as Partial<LandfallError>).code !== "closed") throw error;
    }
  }

  #unfollow(): void {
    for (const stop of this.#stops) stop();
    this.#stops = [];
  }
}

/** Registers an element, unless there is one of this name or no page to have it. */
export function define(name: string, element: CustomElementConstructor): void {
  if (typeof customElements !== "undefined" && !customElements.get(name)) customElements.define(name, element);
}

type Attributes = Record<string, string | boolean | null | ((event: Event) => void)>;

/** An HTML element; functions are listeners, `null` and `false` leave an attribute out. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else set(element, name, value);
  }
  element.append(...children);
  return element;
}

export function set(element: Element, name: string, value: string | boolean | null): void {
  if (value === null || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : value);
}

/** Writes `text` only if it is another one: a live region says whatever is written into it. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Puts `children` into `parent` in this order, and moves only what stands elsewhere: a focus stays. */
export function arrange(parent: Element, children: readonly Element[]): void {
  const kept = new Set(children);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  children.forEach((child, i) => {
    const there = parent.children[i];
    if (there !== child) parent.insertBefore(child, there ?? null);
  });
}

/** Draws with strokes of the text's colour, on a grid of 24. */
export function glyph(): { readonly element: Element; draw(path: string): void } {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  return {
    element: svg,
    draw: (d) => {
      if (path.getAttribute("d") !== d) path.setAttribute("d", d);
    },
  };
}

const sheets = new Map<string, CSSStyleSheet>();

function sheet(text: string): CSSStyleSheet {
  let made = sheets.get(text);
  if (!made) {
    made = new CSSStyleSheet();
    made.replaceSync(text);
    sheets.set(text, made);
  }
  return made;
}
