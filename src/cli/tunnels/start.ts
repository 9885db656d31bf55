/** A checked tunnel, started. */
import type { OpenBridgeOptions, SharedDialers, Tunnel, TunnelServer } from '../../app/index.ts'
import { openBridge, startTunnelClient, startTunnelServer } from '../../app/index.ts'
import { isPtError, PtError } from '../../error.ts'
import { formatAddress } from '../../ipc/index.ts'
import { makeStateDir } from '../../pt/state-dir.ts'
import { builtIns, builtInTransports } from '../../transports/index.ts'
import { commandOf } from './exec.ts'
import { writeBridgeLine } from './bridge-line-file.ts'
import { whyNotListen } from './exchange.ts'
import type { TunnelOutput } from './output.ts'
import type { ClientSpec, ServerSpec, TunnelSpec } from './spec.ts'
import type { PublicAddress } from './values.ts'
import { whyNoHome } from './state-home.ts'

export interface Started {
  readonly spec: TunnelSpec
  readonly tunnel: Tunnel
  /** What its operator has to know: the address that it listens on, or the folder of its identity. */
  readonly facts: Readonly<Record<string, string>>
  /** What a server's operator hands out. It is a secret of its users, and not for every eye. */
  readonly bridgeLine?: string
  /** Why the line could not be kept in the state directory. */
  readonly trouble?: Error
}

export interface StartContext {
  readonly dialers: SharedDialers
  readonly output: Pick<TunnelOutput, 'ptEvent' | 'passedOver'>
}

/** Rejects as openBridge, startTunnelClient and startTunnelServer do; nothing is left then. */
export async function startTunnel(spec: TunnelSpec, context: StartContext): Promise<Started> {
  return spec.kind === 'client' ? await startClient(spec, context) : await startServer(spec, context)
}

async function startClient(spec: ClientSpec, { dialers, output }: StartContext): Promise<Started> {
  const { name, listen, socks, secretFile: secret, expose: exposed, halfOpen, maxConnections, drainTimeout } = spec
  const { path, profile } = spec.profile ?? {}
  const options: OpenBridgeOptions = {
    exec: commandOf({ ...spec, profile: path }),
    transports: builtInTransports({ profile }),
    likePt: true,
    halfOpen,
    proxy: spec.proxy,
    stateDir: spec.stateDir,
    strategy: spec.strategy,
    connectTimeout: spec.connectTimeout,
    // Another program may lack a transport that one of the lines is for.
    require: 'any',
    onPassedOver: ({ transport }, why) => output.passedOver(name, `a bridge of ${transport}: ${why}`),
    open: (names, options) => dialers.open(names, options, JSON.stringify(spec.profile)),
    onPtEvent: (event) => output.ptEvent(name, event),
  }
  const bridge = await openBridge(spec.bridges, options)
  const own = { socks, secret, exposed, halfOpen, maxConnections, drainTimeout }
  const tunnel = await startTunnelClient({ bridge, listen, ...own })
  return { spec, tunnel, facts: { listen: formatAddress(tunnel.address) } }
}

async function startServer(spec: ServerSpec, { output }: StartContext): Promise<Started> {
  const { forward, transport, listen, options, stateDir, idleTimeout, maxConnections, drainTimeout } = spec
  const publicAddress = spec.publicAddress === undefined ? undefined : formatPublic(spec.publicAddress)
  const unwritable = requireStateDir(stateDir)
  const taken = await whyNotListen(listen)
  if (taken !== undefined) throw taken
  const tunnel: TunnelServer = await startTunnelServer({
    exec: commandOf(spec),
    transports: builtIns,
    halfOpen: spec.halfOpen,
    transport,
    listen,
    options,
    stateDir,
    publicAddress,
    idleTimeout,
    maxConnections,
    drainTimeout,
    forward,
    onPtEvent: (event) => output.ptEvent(spec.name, event),
  }).catch((error: unknown) => {
    if (unwritable === undefined || !isPtError(error, 'PT_LAUNCH', 'PT_STATE')) throw error
    throw stateDirError(stateDir, `${unwritable}, and holds no identity that would do`, error)
  })
  try {
    const bridgeLine = tunnel.bridgeLine(publicAddress)
    return { spec, tunnel, bridgeLine, ...(await factsOf(stateDir, transport, bridgeLine)) }
  } catch (error) {
    await tunnel.close()
    throw error
  }
}

function formatPublic({ host, port }: PublicAddress): string {
  return port === undefined ? host : formatAddress({ host, port })
}

/**
 * Throws PT_STATE in the words of the command line: the PT would name a variable that its user has not set. If nothing can be
 * written there, it returns why: a bridge whose identity is there already starts all the same.
 */
function requireStateDir(path: string): string | undefined {
  const why = whyNoHome(path)
  if (why !== undefined) throw stateDirError(path, `cannot be made: ${why}`)
  try {
    return makeStateDir(path, 'server')
  } catch (error) {
    throw stateDirError(path, (error as Error).message.replace(/^TOR_PT_STATE_LOCATION:? /, ''), error)
  }
}

function stateDirError(path: string, why: string, cause?: unknown): PtError {
  return new PtError('PT_STATE', `the state directory ${path} ${why}; --state-dir names another`, { cause })
}

/** A state directory that cannot be written to is no reason not to serve. */
async function factsOf(
  stateDir: string,
  transport: string,
  bridgeLine: string,
): Promise<Pick<Started, 'facts' | 'trouble'>> {
  try {
    return { facts: { stateDir, bridgeLineFile: await writeBridgeLine(stateDir, transport, bridgeLine) } }
  } catch (error) {
    return { facts: { stateDir }, trouble: error as Error }
  }
}
