/** What the benchmarks write: 21 fields and about 1 KB of JSON, as a form with a few long answers gives. */
export function documents(count) {
  return Array.from({ length: count }, (_, n) => document(n));
}

function document(n) {
  const text = (field, length) => `${field} ${n} `.padEnd(length, "roof gutter valve pump fence meter ");
  return {
    site: `site-${n % 40}`,
    inspector: `inspector-${n % 12}`,
    status: n % 3 === 0 ? "done" : "planned",
    dueAt: `2031-03-${String((n % 28) + 1).padStart(2, "0")}`,
    createdAt: "2031-01-01T08:00:00.000Z",
    rating: n % 6,
    photos: n % 9,
    urgent: n % 7 === 0,
    latitude: 52.1 + (n % 1_000) / 10_000,
    longitude: 13.4 + (n % 1_000) / 10_000,
    temperature: 11.5 + (n % 20),
    meter: 100_000 + n,
    contact: `contact-${n % 300}`,
    phone: "+49 30 1234567",
    tags: ["roof", "pump", `zone-${n % 5}`],
    weather: "rain from the west, clearing up",
    notes: text("notes", 220),
    findings: text("findings", 160),
    actions: text("actions", 120),
    reference: `REF-${String(n).padStart(8, "0")}`,
    revision: 1,
  };
}
