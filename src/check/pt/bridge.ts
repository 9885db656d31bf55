/** Something for a client to dial: a server and its application, or a mere listener if there is no server. */
import { cannotTell } from '../probe.ts'
import type { Listener, Wire } from '../lab/wire.ts'
import type { Dialled, Pair, PtLab } from './pt-lab.ts'
import type { SocksOptions } from './socks.ts'

const ECHO = 'there and back'

export interface Bridge {
  readonly client: Pair['client']
  readonly address: Listener['address']
  readonly args: string
  /** How many connections reached the bridge. */
  readonly count: () => number
  /** The same bridge by a host name. */
  named(): Promise<Listener['address']>
  /** True if the bytes have come back from the application behind the server, or at least a bridge was dialled. */
  arrives(dialled: Dialled): Promise<boolean>
}

/** Makes a client and something to dial: a server and its application, or a mere listener if there is no server. */
export async function bridge(lab: PtLab): Promise<Bridge> {
  if (lab.subject.commands.server === undefined) {
    const listener = await lab.listen()
    const client = await lab.client()
    let arrived = 0
    const arrives = async ({ granted }: Dialled): Promise<boolean> =>
      granted && (await listener.wire(arrived++, lab.patience)) !== undefined
    const { address, wires } = listener
    const named = (): Promise<Listener['address']> => byName(lab, address, async () => undefined)
    return { client, address, args: lab.subject.args, count: () => wires.length, arrives, named }
  }
  const { client, server, args } = await lab.pair()
  const wayIn = (await lab.way(server.method.address)).listener
  const arrives = async ({ granted, wire }: Dialled): Promise<boolean> => {
    if (!granted) return false
    wire.write(ECHO)
    return (await wire.take(ECHO.length, lab.patience)).toString('latin1') === ECHO
  }
  const { address, wires } = wayIn
  const named = (): Promise<Listener['address']> =>
    byName(lab, address, (wire) => lab.lead(wire, server.method.address))
  return { client, address, args, count: () => wires.length, arrives, named }
}

/** `localhost` may be 127.0.0.1 or ::1, so the port is served on both if both are there. */
async function byName(
  lab: PtLab,
  { port }: Listener['address'],
  serve: (wire: Wire) => Promise<unknown>,
): Promise<Listener['address']> {
  await lab.listen((wire) => void serve(wire), '::1', port).catch(() => undefined)
  return { host: 'localhost', port }
}

/** Makes a bridge that a plain request reaches; if it does not, nothing can be told about unusual requests. */
export async function workingBridge(lab: PtLab): Promise<Bridge> {
  const made = await bridge(lab)
  const dialled = await lab.dial(made.client, made.address, made.args)
  if (!(await made.arrives(dialled))) cannotTell(`a plain request does not reach its bridge: ${dialled.seen}`)
  return made
}

export async function expectArrival(
  lab: PtLab,
  made: Bridge,
  args: string,
  what: string,
  options: SocksOptions & { readonly target?: Listener['address'] } = {},
): Promise<void> {
  const dialled = await lab.dial(made.client, options.target ?? made.address, args, options)
  const arrived = await made.arrives(dialled)
  const seen = `${dialled.seen}${dialled.granted && !arrived ? ', and nothing came back' : ''}`
  lab.judge(arrived, made.client, 'a granted request, and traffic', { sent: what, seen })
}
