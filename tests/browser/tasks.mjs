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
