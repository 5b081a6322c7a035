/** Whether the page stands still: what its one thread does for longer than a person overlooks. */

/** What a person notices as a stutter; the browser reports no shorter tasks. */
export const TASK_MS = 50;

/** Runs in the page before anything else of it does: notes in `tasks` every one that is too long, once `since` is set. */
export function watchTasks() {
  globalThis.tasks = [];
  globalThis.since = Infinity;
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) {
      if (startTime >= globalThis.since) globalThis.tasks.push({ at: Math.round(startTime - globalThis.since), duration });
    }
  }).observe({ type: "longtask" });
}

/** The moment by which the page's clock and the browser's are compared. */
const BOTH = "both";

/**
 * Begins to note when the browser's collector holds a page up. It takes tens of milliseconds for the garbage of a
 * hundred thousand requests to IndexedDB, each an object of the browser's own, on a machine with little to spare much more.
 * @returns ends it; gives the tasks of that page that are too long without it.
 */
export async function watchCollector(browser) {
  const session = await browser.context.browser().newBrowserCDPSession();
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  const traceConfig = { includedCategories: ["v8", "blink.user_timing"], excludedCategories: ["*"] };
  await session.send("Tracing.start", { transferMode: "ReportEvents", traceConfig });
  return async (page) => {
    const [mark, tasks, since] = await page.evaluate(
      (name) => [performance.mark(name).startTime, globalThis.tasks, globalThis.since],
      BOTH,
    );
    const complete = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
    await session.send("Tracing.end");
    await complete;
    const both = events.find(({ name }) => name === BOTH);
    const pauses = events
      .filter(({ name, pid, dur }) => (name === "MajorGC" || name === "MinorGC") && pid === both.pid && dur > 0)
      .map(({ ts, dur }) => ({ from: (ts - both.ts) / 1000 + mark - since, milliseconds: dur / 1000 }));
    const own = ({ at, duration }) => {
      const held = pauses.map(({ from, milliseconds }) => Math.min(at + duration, from + milliseconds) - Math.max(at, from));
      return duration - held.reduce((sum, overlap) => sum + Math.max(0, overlap), 0);
    };
    return { tasks, pauses, long: tasks.filter((task) => own(task) > TASK_MS) };
  };
}
