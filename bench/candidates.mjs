// What is measured side by side: our PT, obfs4proxy, its successor lyrebird, both mixed, the relay, and no PT at all; and tunnels.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { debianFolder } from '../scripts/peers.mjs'
import { root } from '../scripts/setup.mjs'

/** The one that all ratios are to. */
export const PEER = 'obfs4proxy'
/** The successor of that one; goals may be set beside it too. */
export const SUCCESSOR = 'lyrebird'
export const OURS = 'postern'
export const OUR_CLIENT = 'postern → obfs4proxy'
export const OUR_SERVER = 'obfs4proxy → postern'
export const FLOOR = 'C relay'
export const CEILING = 'no PT'
/** `postern client` and `postern server`, with the transport in their own process, and in one of its own. */
export const TUNNEL = 'postern client | server'
export const ISOLATED = 'postern client | server --isolate'
/** Another program for tunnels, in Python, with our PT at both ends. */
export const PTADAPTER = 'ptadapter'

/** The metric `tls` compares clients of TLS: ours, and the one that all its ratios are to. */
export const NODE_TLS = 'node:tls'
export const OUR_TLS = 'postern/tls'

/** The metric `webtunnel` compares ours with lyrebird's client and webtunnel's own server. */
export const WEBTUNNEL_PEER = 'lyrebird → webtunnel-server'

/** As they stand in tables; what is added comes after them. */
export const order = [PEER, OURS, SUCCESSOR, OUR_CLIENT, OUR_SERVER, TUNNEL, ISOLATED, PTADAPTER, FLOOR, CEILING]

/** Where `npm run peers` puts them. */
export const lyrebird = join(debianFolder, 'bin', 'lyrebird')
const webtunnelServer = join(debianFolder, 'bin', 'webtunnel-server')

const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/**
 * @typedef {object} Candidate
 * @property {string} name
 * @property {readonly string[]} [client] the command of the PT client; without one the load goes straight to the far end
 * @property {readonly string[]} [server]
 * @property {Tunnel} [tunnel] in place of a PT at each end
 * @property {'node' | 'postern'} [tls] in place of all that: a client of TLS
 */

/**
 * @typedef {object} Tunnel
 * @property {'ours' | 'ptadapter'} kind
 * @property {readonly string[]} command our program, or the PT that ptadapter launches
 * @property {readonly string[]} flags
 */

/**
 * All candidates. Ours is run as tor runs it: the file itself, with its `#!` line.
 * @param {{ relay: string, peer?: string, successor?: string }} programs the compiled relay, obfs4proxy and lyrebird
 * @returns {Candidate[]}
 */
export function candidates({ relay, peer = 'obfs4proxy', successor = lyrebird }) {
  const postern = [join(root, bin.postern)]
  const ours = [...postern, 'pt']
  return [
    { name: PEER, client: [peer], server: [peer] },
    { name: OURS, client: ours, server: ours },
    { name: SUCCESSOR, client: [successor], server: [successor] },
    { name: OUR_CLIENT, client: ours, server: [peer] },
    { name: OUR_SERVER, client: [peer], server: ours },
    { name: TUNNEL, tunnel: { kind: 'ours', command: postern, flags: [] } },
    { name: ISOLATED, tunnel: { kind: 'ours', command: postern, flags: ['--isolate'] } },
    { name: PTADAPTER, tunnel: { kind: 'ptadapter', command: ours, flags: [] } },
    { name: FLOOR, client: [relay], server: [relay] },
    { name: CEILING },
    { name: WEBTUNNEL_PEER, client: [successor], server: [webtunnelServer] },
    { name: NODE_TLS, tls: 'node' },
    { name: OUR_TLS, tls: 'postern' },
  ]
}

/**
 * One more, from `NAME=COMMAND`.
 * @param {string} text
 * @returns {Candidate}
 */
export function readCandidate(text) {
  const [, name, words] = /^([^=]+)=(.+)$/s.exec(text) ?? []
  if (!name) throw new Error(`--with ${text}: expected NAME=COMMAND`)
  const command = words.trim().split(/\s+/)
  return { name, client: command, server: command }
}

/**
 * The version that a program names with --version, or undefined where it cannot be run.
 * @param {readonly string[]} command
 */
export function versionOf(command) {
  const { status, stdout } = spawnSync(command[0], [...command.slice(1), '--version'], { encoding: 'utf8' })
  return status === 0 ? stdout.trim().split('\n')[0] : undefined
}
