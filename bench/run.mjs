// A run: its cases one after another, with the CPU time that others used meanwhile.
import { cpuTimes, NOISY, shareOfOthers } from './noise.mjs'

/**
 * Runs all cases. One that fails is kept as a failure, with what it had until then, and the others go on.
 * @template {object} Case
 * @template Result
 * @param {readonly Case[]} cases
 * @param {(one: Case) => string} nameOf
 * @param {(one: Case, add: (...results: Result[]) => void) => Promise<void>} measure
 * @param {(line: string) => void} say
 */
export async function runCases(cases, nameOf, measure, say) {
  const started = Date.now()
  const before = cpuTimes()
  const results = []
  const noisy = []
  const failures = []
  for (const [at, one] of cases.entries()) {
    const name = nameOf(one)
    say(`[${clock(Date.now() - started)}] ${at + 1}/${cases.length} ${name}`)
    const beforeCase = cpuTimes()
    try {
      await measure(one, (...some) => results.push(...some))
    } catch (error) {
      failures.push({ case: name, error: error.message })
      say(`  failed: ${error.message}`)
    }
    const others = shareOfOthers(beforeCase, cpuTimes())
    if (others > NOISY) {
      noisy.push({ case: name, others })
      say(`  not quiet: others used ${(100 * others).toFixed(1)} % of all cores`)
    }
  }
  const seconds = (Date.now() - started) / 1_000
  return { results, noisy, failures, seconds, others: shareOfOthers(before, cpuTimes()) }
}

function clock(ms) {
  const seconds = Math.floor(ms / 1_000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
