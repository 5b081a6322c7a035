/** A demonstration tool: puts a bad network and a wrong clock between the app and the browser. No app needs this. */
import { onTroubles, troublesOf, type Trouble } from "./trouble";

const SLOW_MS = 3_000;
const CLOCK_AHEAD_MS = 3 * 86_400_000;

/** Wraps this page's `fetch` and `Date`; what they do follows the switches of `device` from now on. */
export function breakOnDemand(device: string): void {
  let troubles = troublesOf(device);
  const wrong = (trouble: Trouble): boolean => troubles.has(trouble);
  const network = new BadNetwork(wrong);
  globalThis.fetch = (input, init) => network.fetch(new Request(input, init));
  globalThis.Date = wrongDate(wrong);
  onTroubles(device, (now) => {
    const before = troubles;
    troubles = now;
    if (now.has("offline") === before.has("offline")) return;
    if (now.has("offline")) network.cut();
    // What a browser says when a cable is pulled or put back. The package takes it for a hint.
    dispatchEvent(new Event(now.has("offline") ? "offline" : "online"));
  });
}

class BadNetwork {
  readonly #real = globalThis.fetch.bind(globalThis);
  readonly #wrong: (trouble: Trouble) => boolean;
  readonly #underWay = new Set<AbortController>();

  constructor(wrong: (trouble: Trouble) => boolean) {
    this.#wrong = wrong;
  }

  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith("/api/") && !pathname.startsWith("/demo/")) return this.#real(request);

    const cutter = new AbortController();
    const signal = AbortSignal.any([request.signal, cutter.signal]);
    this.#underWay.add(cutter);
    try {
      if (this.#wrong("offline")) throw unreachable();
      if (this.#wrong("slow")) await pause(SLOW_MS, signal);
      if (this.#wrong("errors")) return unavailable();
      const response = await this.#real(new Request(request, { signal }));
      if (this.#wrong("slow")) await pause(SLOW_MS, signal);
      if (this.#wrong("lost") && pathname.endsWith("/batch")) throw unreachable();
      return response;
    } finally {
      // A stream goes on after its head has come, and is to be cut off with the rest.
      if (!pathname.endsWith("/live")) this.#underWay.delete(cutter);
    }
  }

  /** Ends what is under way as a dead network does. */
  cut(): void {
    for (const cutter of this.#underWay) cutter.abort(unreachable());
    this.#underWay.clear();
  }
}

/** As the browser says it. */
function unreachable(): TypeError {
  return new TypeError("Failed to fetch");
}

function unavailable(): Response {
  return new Response("", { status: 503, statusText: "Service Unavailable" });
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

function wrongDate(wrong: (trouble: Trouble) => boolean): DateConstructor {
  const real = Date;
  const now = (): number => real.now() + (wrong("clock") ? CLOCK_AHEAD_MS : 0);
  return new Proxy(real, {
    construct: (target, parameters, self) => Reflect.construct(target, parameters.length === 0 ? [now()] : parameters, self),
    get: (target, key) => (key === "now" ? now : Reflect.get(target, key)),
  });
}
