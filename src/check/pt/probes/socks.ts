/** Probes of a client's SOCKS port and of per-connection arguments. Sections "Architecture Overview", "Per-Connection Arguments". */
import { QUIET } from '../evidence.ts'
import type { Probe } from '../../probe.ts'
import { cannotTell, notApplicable } from '../../probe.ts'
import type { Dialled, Pair, PtLab } from '../pt-lab.ts'
import { joined } from '../pt-lab.ts'
import type { SocksOptions } from '../socks.ts'
import { socks4 } from '../socks.ts'
import type { Listener } from '../../lab/wire.ts'
import { hex } from '../../lab/wire.ts'

const role = 'client'
const ECHO = 'there and back'

interface Bridge {
  readonly client: Pair['client']
  readonly address: Listener['address']
  readonly args: string
  /** How many connections reached the bridge. */
  readonly count: () => number
  /** True where the bytes have come back from behind the server, or at least a bridge was dialled. */
  arrives(dialled: Dialled): Promise<boolean>
}

/** A client and something to dial: a server and its application, or a mere listener where there is no server. */
async function bridge(lab: PtLab): Promise<Bridge> {
  if (lab.subject.commands.server === undefined) {
    const listener = await lab.listen()
    const client = await lab.client()
    const arrives = async ({ granted }: Dialled): Promise<boolean> =>
      granted && (await listener.wire(0, 3_000)) !== undefined
    return { client, address: listener.address, args: lab.subject.args, count: () => listener.wires.length, arrives }
  }
  const { client, server, args } = await lab.pair()
  const wayIn = (await lab.way(server.method.address)).listener
  const arrives = async ({ granted, wire }: Dialled): Promise<boolean> => {
    if (!granted) return false
    wire.write(ECHO)
    return (await wire.take(ECHO.length, 5_000)).toString('latin1') === ECHO
  }
  return { client, address: wayIn.address, args, count: () => wayIn.wires.length, arrives }
}

/** A bridge that a plain request reaches; where it does not, nothing can be told about unusual ones. */
async function workingBridge(lab: PtLab): Promise<Bridge> {
  const made = await bridge(lab)
  const dialled = await lab.dial(made.client, made.address, made.args)
  if (!(await made.arrives(dialled))) cannotTell(`a plain request does not reach its bridge: ${dialled.seen}`)
  return made
}

/** `args` behind so much padding that both have `length` bytes; the needed part is then where the cut is. */
function padded(args: string, length: number): string {
  const room = length - args.length - (args === '' ? 0 : 1)
  return room < 5 ? '' : joined(`pad=${'x'.repeat(room - 4)}`, args)
}

async function expectArrival(
  lab: PtLab,
  made: Bridge,
  args: string,
  what: string,
  options: SocksOptions = {},
): Promise<void> {
  const dialled = await lab.dial(made.client, made.address, args, options)
  const arrived = await made.arrives(dialled)
  const seen = `${dialled.seen}${dialled.granted && !arrived ? ', and nothing came back' : ''}`
  lab.expect(arrived, made.client, 'a granted request, and traffic', { sent: what, seen })
}

const portProbes: readonly Probe<PtLab>[] = [
  {
    ids: ['ARCH-2'],
    role,
    title: 'the port speaks the SOCKS version of CMETHOD',
    async run(lab) {
      const { client } = await bridge(lab)
      const five = client.method.protocol === 'socks5'
      const ask = five ? Buffer.of(5, 2, 0, 2) : Buffer.of(4, 1, 0, 1, 127, 0, 0, 1, 0)
      for (const trickle of [false, true]) {
        const wire = (await lab.open(client.method.address)) ?? cannotTell('its port does not accept')
        await (trickle ? wire.trickle(ask) : wire.write(ask))
        const answer = await wire.take(2, lab.patience)
        const good = five
          ? answer[0] === 5 && (answer[1] === 0 || answer[1] === 2)
          : answer.length === 2 && answer[0] === 0
        const sent = `${hex(ask)}${trickle ? ', byte by byte' : ''}`
        lab.expect(good, client, five ? '05 00 or 05 02' : 'a reply of SOCKS 4', { sent, seen: hex(answer) })
        wire.socket.destroy()
      }
      for (const bytes of [Buffer.of(6, 1, 0), Buffer.from('GET / HTTP/1.0\r\n\r\n'), Buffer.of(5, 0)]) {
        const wire = await lab.open(client.method.address)
        wire?.write(bytes)
        const answer = (await wire?.rest(QUIET)) ?? Buffer.alloc(0)
        const granted = answer[0] === 5 && answer.length === 2 && answer[1] !== 0xff && bytes[0] !== 5
        lab.expect(!granted, client, 'no welcome', { sent: hex(bytes), seen: hex(answer) })
        wire?.socket.destroy()
      }
      const alive = client.exit === undefined && (await lab.open(client.method.address)) !== undefined
      lab.expect(alive, client, 'a PT that goes on', {
        sent: 'what is no SOCKS',
        seen: alive ? 'it goes on' : client.seen,
      })
    },
  },
  {
    ids: ['TRAP-12'],
    role,
    title: 'it chooses 02 where 00 and 02 are offered',
    async run(lab) {
      const { client } = await bridge(lab)
      if (client.method.protocol !== 'socks5') notApplicable('it announces SOCKS 4')
      const wire = (await lab.open(client.method.address)) ?? cannotTell('its port does not accept')
      wire.write(Buffer.of(5, 2, 0, 2))
      const answer = await wire.take(2, lab.patience)
      lab.expect(answer[1] === 2, client, '05 02', { sent: '05 02 00 02', seen: hex(answer) })
    },
  },
  {
    ids: ['TRAP-13'],
    role,
    title: 'messages in one packet are read one by one',
    async run(lab) {
      const made = await workingBridge(lab)
      if (made.client.method.protocol !== 'socks5') notApplicable('SOCKS 4 has one message only')
      await expectArrival(lab, made, made.args, 'greeting, login and request in one packet', { pipelined: true })
    },
  },
  {
    ids: ['TRAP-17'],
    role,
    title: 'a client that says nothing is cut off within a minute',
    slow: true,
    async run(lab) {
      const client = await lab.client()
      const wire = (await lab.open(client.method.address)) ?? cannotTell('its port does not accept')
      wire.write(Buffer.of(5))
      const ended = await wire.ends(60_000)
      lab.expect(ended, client, 'its end within 60 s', {
        sent: '05, and nothing more',
        seen: ended ? 'its end' : 'still open',
      })
    },
  },
]

const argsProbes: readonly Probe<PtLab>[] = [
  {
    ids: ['ARGS-1'],
    role,
    title: 'arguments of every length arrive',
    async run(lab) {
      const made = await workingBridge(lab)
      if (made.client.method.protocol !== 'socks5') notApplicable('it announces SOCKS 4; ARGS-3 is about that')
      await expectArrival(lab, made, made.args, 'a request byte by byte', { trickle: true })
      const some = await lab.dial(made.client, made.address, joined('pad=x', made.args))
      if (!some.granted) cannotTell(`its transport takes no argument that it does not know: ${some.seen}`)
      await expectArrival(lab, made, joined('pad=a\\;b\\=c\\\\', made.args), 'a value with escapes')
      for (const length of [255, 256, 300, 510]) {
        const args = padded(made.args, length)
        if (args === '') continue
        await expectArrival(
          lab,
          made,
          args,
          `${length} bytes of arguments in UNAME${length > 255 ? ' and PASSWD' : ''}`,
        )
      }
    },
  },
  {
    ids: ['ARGS-3'],
    role,
    title: 'in SOCKS 4 arguments arrive in USERID',
    async run(lab) {
      const made = await workingBridge(lab)
      const wire = (await lab.open(made.client.method.address)) ?? cannotTell('its port does not accept')
      const outcome = await socks4(wire, made.address, made.args)
      const answered = /reply 00 5[a-d]/.test(outcome.seen)
      if (!answered && made.client.method.protocol === 'socks5')
        notApplicable('it announces SOCKS 5, and serves no other')
      const arrived = await made.arrives({ wire, ...outcome })
      lab.expect(arrived, made.client, 'a granted request, and traffic', {
        sent: 'a SOCKS 4 request',
        seen: outcome.seen,
      })
    },
  },
  {
    ids: ['ARGS-6'],
    role,
    title: 'malformed arguments fail the request, and nothing is dialled',
    async run(lab) {
      const made = await workingBridge(lab)
      const before = made.count()
      for (const bad of ['novalue', '=nokey', 'k=v\\']) {
        const args = joined(made.args, bad)
        const { granted, seen } = await lab.dial(made.client, made.address, args)
        const sent = `arguments that end in ${JSON.stringify(bad)}`
        lab.expect(!granted, made.client, 'a request that fails', { sent, seen })
      }
      const dialled = made.count() - before
      lab.expect(dialled === 0, made.client, 'no connection to the bridge', { seen: `${dialled} connections` })
    },
  },
]

export const socksProbes: readonly Probe<PtLab>[] = [...portProbes, ...argsProbes]
