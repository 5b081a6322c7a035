/** Puts what the server does not have into a file of the person's own. */

export function saveCopy(content: { exportedAt: unknown }): void {
  const day = new Date().toISOString().slice(0, 10);
  const address = URL.createObjectURL(new Blob([JSON.stringify(content, null, 2)], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = `not-sent-${day}.json`;
  link.click();
  URL.revokeObjectURL(address);
}
