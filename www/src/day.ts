/** Days as the visits carry them: `2026-11-24`, in the calendar of the person reading. */

export function isoDay(date: Date): string {
  const part = (number: number): string => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${part(date.getMonth() + 1)}-${part(date.getDate())}`;
}

const SHORT = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });
const WITH_YEAR = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** "Today", "Tomorrow", "Tue 24 Nov", "3 Mar 2027". */
export function dayWords(day: string, today: string): string {
  const distance = daysBetween(today, day);
  if (distance === 0) return "Today";
  if (distance === 1) return "Tomorrow";
  if (distance === -1) return "Yesterday";
  const date = new Date(`${day}T00:00`);
  if (Number.isNaN(date.getTime())) return day;
  return day.slice(0, 4) === today.slice(0, 4) ? SHORT.format(date) : WITH_YEAR.format(date);
}

/** Counted at noon UTC, where no daylight saving can make a day 23 hours long. */
function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(`${to}T12:00Z`) - Date.parse(`${from}T12:00Z`)) / 86_400_000);
}
