// What can be measured. Each takes a pair's parts and the settings of the run, starts fresh processes, and hands over each
// figure as it comes: what fails later takes none back.
import { measureBeside } from './beside.mjs'
import { measureBulk } from './bulk.mjs'
import { measureFirst } from './first.mjs'
import { measureMeek } from './meek.mjs'
import { measureMemory } from './memory.mjs'
import { measurePing } from './ping.mjs'
import { measureSetup } from './setup.mjs'
import { measureStart } from './start.mjs'
import { measureTls } from './tls.mjs'
import { measureTransfer } from './transfer.mjs'
import { measureTunnels } from './tunnels.mjs'
import { measureWebtunnel } from './webtunnel.mjs'

/** @typedef {{ name: string, unit: string, better: 'more' | 'less', value: number }} Figure */
/**
 * @callback Measure
 * @param {import('../pair.mjs').PairOptions} options
 * @param {import('../settings.mjs').Settings} settings
 * @param {(...figures: Figure[]) => void} add
 * @returns {Promise<void>}
 */

/** By name, in the order of the tables. @type {Record<string, Measure>} */
export const metrics = {
  transfer: measureTransfer,
  bulk: measureBulk,
  first: measureFirst,
  setup: measureSetup,
  beside: measureBeside,
  ping: measurePing,
  memory: measureMemory,
  start: measureStart,
  tunnels: measureTunnels,
  tls: measureTls,
  meek: measureMeek,
  webtunnel: measureWebtunnel,
}
