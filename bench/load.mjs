// One command of the load generator, and what it says.
import { launch, readLines, stop } from './children.mjs'

/** Every command is bounded itself; this is for one that hangs. */
const LIMIT_MS = 180_000

/**
 * Runs the load generator to its end and returns its line of JSON. Rejects with its words where it fails.
 * @param {import('./pair.mjs').Pair} pair
 * @param {string} command see load/loadgen.c
 * @param {Record<string, string | number>} [options]
 */
export async function load(pair, command, options = {}) {
  const child = launchLoad(pair, command, options)
  try {
    return JSON.parse((await readLines(child, () => true, LIMIT_MS)).at(-1))
  } finally {
    await stop(child)
  }
}

/**
 * Starts the load generator, for commands that are spoken with.
 * @param {import('./pair.mjs').Pair} pair
 * @param {string} command
 * @param {Record<string, string | number>} [options]
 */
export function launchLoad(pair, command, options = {}) {
  const flags = Object.entries({ ...pair.reach, ...options }).flatMap(([name, value]) => [`--${name}`, String(value)])
  return launch(pair.loadgen, [pair.loadgen, command, ...flags], { cpu: pair.cpus.client, files: pair.files })
}
