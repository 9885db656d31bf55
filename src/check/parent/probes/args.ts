/** Probes of how a parent passes per-connection arguments. Section "Per-Connection Arguments". */
import { formatAddress, parseClientArgs } from '../../../ipc/index.ts'
import type { Probe } from '../../probe.ts'
import { notApplicable } from '../../probe.ts'
import type { Wire } from '../../lab/wire.ts'
import { hex } from '../../lab/wire.ts'
import { doneLine } from './dialogue.ts'
import type { ParentLab } from '../parent-lab.ts'

/** The bytes of a SOCKS 5 connection up to its request. */
interface Request {
  readonly methods: Buffer
  readonly uname: Buffer
  readonly passwd: Buffer
}

const WAIT = 15_000

/** Reads what the parent sends to the SOCKS port of its PT; if it does not connect, the question does not arise. */
async function request(lab: ParentLab): Promise<Request> {
  const got = await lab.evidence('request', async (lab) => {
    const { pt } = await lab.session()
    const listener = await lab.listen()
    const methods = pt.transports.map((name) => `CMETHOD ${name} socks5 ${formatAddress(listener.address)}`)
    pt.say('VERSION 1', ...methods, doneLine(pt))
    const wire = await listener.wire(0, WAIT)
    return wire === undefined ? undefined : await converse(wire)
  })
  if (got === undefined) notApplicable('it makes no connection through its PT')
  return got.methods.includes(2) ? got : notApplicable('it has no arguments to pass')
}

async function converse(wire: Wire): Promise<Request> {
  const head = await wire.take(2, WAIT)
  const methods = await wire.take(head[1] ?? 0, WAIT)
  const none = Buffer.alloc(0)
  if (!methods.includes(2)) return { methods, uname: none, passwd: none }
  wire.write(Buffer.of(5, 2))
  const uname = await wire.take((await wire.take(2, WAIT))[1] ?? 0, WAIT)
  const passwd = await wire.take((await wire.take(1, WAIT))[0] ?? 0, WAIT)
  wire.write(Buffer.of(1, 0))
  return { methods, uname, passwd }
}

function seenOf({ methods, uname, passwd }: Request): string {
  return `methods ${hex(methods)}; UNAME of ${uname.length} bytes; PASSWD ${hex(passwd)}`
}

const filler = (passwd: Buffer): boolean => passwd.length === 1 && passwd[0] === 0

export const argsProbes: readonly Probe<ParentLab>[] = [
  {
    ids: ['ARGS-4'],
    role: 'client',
    title: 'arguments travel in UNAME, and past 255 bytes in PASSWD',
    async run(lab) {
      const got = await request(lab)
      const good = got.uname.length > 0 && (filler(got.passwd) || got.uname.length === 255)
      lab.expect(good, { sent: 'CMETHOD … socks5', expected: 'UNAME, filled before PASSWD is', seen: seenOf(got) })
    },
  },
  {
    ids: ['ARGS-5'],
    role: 'client',
    title: 'if UNAME holds all, PASSWD is one NUL',
    async run(lab) {
      const got = await request(lab)
      if (got.uname.length === 255) notApplicable('its arguments fill UNAME')
      lab.expect(filler(got.passwd), { sent: 'CMETHOD … socks5', expected: 'PLEN 1 and a NUL', seen: seenOf(got) })
    },
  },
  {
    ids: ['ARGS-2'],
    role: 'client',
    title: 'arguments are escaped',
    async run(lab) {
      const got = await request(lab)
      const list = Buffer.concat([got.uname, filler(got.passwd) ? Buffer.alloc(0) : got.passwd]).toString('utf8')
      lab.expect(reads(list), {
        sent: 'CMETHOD … socks5',
        expected: 'k=v;k=v that can be read back',
        seen: seenOf(got),
      })
    },
  },
]

function reads(list: string): boolean {
  try {
    return parseClientArgs(list).size > 0
  } catch {
    return false
  }
}
