/**
 * `node replay.mjs SIM MODULE SEEDS`: SIM is the simulator as a program, MODULE as WebAssembly.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const [program, file, seeds] = process.argv.slice(2);

test(`WebAssembly in Node lives through ${seeds} seeds as the native program does`, async () => {
  const lines = execFileSync(program, ["--hashes", "--seeds", seeds], { encoding: "utf8" }).trim().split("\n");
  assert.equal(lines.length, Number(seeds));
  const { instance } = await WebAssembly.instantiate(readFileSync(file), {});
  for (const line of lines) {
    const [seed, native] = line.split(" ");
    const ours = BigInt.asUintN(64, instance.exports.live(BigInt(seed)));
    assert.equal(ours.toString(16).padStart(16, "0"), native, `seed ${seed}`);
  }
});
