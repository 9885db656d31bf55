// A PT client and a PT server as fresh processes with the far end behind them:
//
//     load generator ── SOCKS ── PT client ── transport ── PT server ── far end
//     └──────────── CPU 0, where pinned ───┘             └── CPU 1, where pinned
import { launch, makeFolder, readLines, removeFolder, stop } from './children.mjs'

/** Cores of the two ends. */
export const PINNED = { client: 0, server: 1 }
const UNPINNED = { client: undefined, server: undefined }

/**
 * @typedef {object} Pair
 * @property {string} loadgen
 * @property {{ client: number | undefined, server: number | undefined }} cpus
 * @property {number} files what the limit of open files is raised to
 * @property {Record<string, string>} reach the load generator's options that lead through the pair
 * @property {number[]} pids of the PT client and the PT server; none where there is no PT
 */

/**
 * What a pair is made of.
 * @typedef {object} PairOptions
 * @property {string} loadgen
 * @property {import('./candidates.mjs').Candidate} candidate
 * @property {string} transport
 * @property {boolean} pinned
 * @property {number} [connections] how many it must be able to hold
 * @property {number} [buffer] of the far end's sockets, in bytes; 0: the system's
 * @property {string} [clientTransport] if the client knows the transport by another name than the server
 * @property {(server: string) => Record<string, string>} [argsFor] the client's arguments for the server's address, in place of its ARGS
 */

/**
 * Brings a pair up, hands it to `use`, and ends all its processes whatever happens.
 * @template T
 * @param {PairOptions} options
 * @param {(pair: Pair) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function withPair(options, use) {
  const { loadgen, candidate, transport, pinned, connections = 64, buffer = 0 } = options
  const names = { client: options.clientTransport ?? transport, server: transport }
  const cpus = pinned ? PINNED : UNPINNED
  const files = 2 * connections + 100
  const children = []
  const folders = []
  const start = (command, cpu, env) => {
    const child = launch(loadgen, command, { cpu, files, env })
    children.push(child)
    return child
  }
  const startPt = async (role, command, variables) => {
    folders.push(makeFolder())
    const child = start(command, cpus[role], { ...ptEnvironment(folders.at(-1)), ...variables })
    const lines = await readLines(child, (line) => /^[CS]METHODS DONE$/.test(line))
    const method = lines.find((line) => line.startsWith(`${role === 'client' ? 'C' : 'S'}METHOD ${names[role]} `))
    if (!method) throw new Error(`the ${role} of ${candidate.name} has no ${names[role]}: ${lines.join(' | ')}`)
    return { pid: child.process.pid, words: method.split(' ') }
  }
  try {
    const farEnd = start([loadgen, 'far-end', '--buffer', String(buffer)], cpus.server)
    const [address] = await readLines(farEnd, () => true)
    const pair = { loadgen, cpus, files, reach: { to: address }, pids: [] }
    if (candidate.client && candidate.server) {
      const server = await startPt('server', candidate.server, serverEnvironment(transport, address))
      const client = await startPt('client', candidate.client, clientEnvironment(names.client))
      pair.pids = [client.pid, server.pid]
      pair.reach = { to: server.words[2], socks: client.words[3], pids: pair.pids.join(',') }
      pair.reach.args = options.argsFor
        ? await formatted(options.argsFor(server.words[2]))
        : await clientArgs(server.words.slice(3))
    }
    return await use(pair)
  } finally {
    await Promise.all(children.map(async (child) => await stop(child)))
    for (const folder of folders) removeFolder(folder)
  }
}

/** What both roles of a PT are told. */
export function ptEnvironment(folder) {
  return {
    TOR_PT_MANAGED_TRANSPORT_VER: '1',
    TOR_PT_STATE_LOCATION: folder,
    TOR_PT_EXIT_ON_STDIN_CLOSE: '1',
  }
}

function clientEnvironment(transport) {
  return { TOR_PT_CLIENT_TRANSPORTS: transport }
}

function serverEnvironment(transport, orport) {
  return {
    TOR_PT_SERVER_TRANSPORTS: transport,
    TOR_PT_SERVER_BINDADDR: `${transport}-127.0.0.1:0`,
    TOR_PT_ORPORT: orport,
  }
}

/**
 * The whole environment of a PT that is started by itself.
 * @param {'client' | 'server'} role
 * @param {string} transport
 * @param {string} folder its state directory
 */
export function startEnvironment(role, transport, folder) {
  const own = role === 'client' ? clientEnvironment(transport) : serverEnvironment(transport, '127.0.0.1:9')
  return { ...ptEnvironment(folder), ...own }
}

/** What SMETHOD says in ARGS, as a SOCKS request carries it. */
async function clientArgs(options) {
  const { formatClientArgs, parseSmethodArgs } = await import('../dist/ipc/index.js')
  const args = options.find((option) => option.startsWith('ARGS:'))
  return args ? formatClientArgs(parseSmethodArgs(args.slice('ARGS:'.length))) : ''
}

async function formatted(args) {
  const { formatClientArgs } = await import('../dist/ipc/index.js')
  return formatClientArgs(args)
}
