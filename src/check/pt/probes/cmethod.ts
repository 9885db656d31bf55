/** Probes of a client's transports and what it says about them. Sections "Client Environment Variables", "Client Messages". */
import { isLoopback, parseAddress } from '../../../ipc/index.ts'
import { announces, plainStart } from '../evidence.ts'
import { hasNamespace, withoutPorts } from '../namespaces.ts'
import { requireLine } from '../../lab/launch.ts'
import type { Probe } from '../../probe.ts'
import { cannotTell } from '../../probe.ts'
import type { PtLab } from '../pt-lab.ts'
import { UNKNOWN_NAME } from '../subject.ts'

const role = 'client'

async function methodLine(lab: PtLab): Promise<string> {
  const pt = await plainStart(lab, role)
  return pt.lines.find((line) => line.startsWith('CMETHOD ')) ?? cannotTell('it said no CMETHOD')
}

const nameProbes: readonly Probe<PtLab>[] = [
  {
    ids: ['CENV-2'],
    role,
    title: 'unknown names stop no other transport',
    async run(lab) {
      const name = lab.transport(role)
      const pt = await lab.launch(role, { TOR_PT_CLIENT_TRANSPORTS: `${UNKNOWN_NAME},${name},*` })
      await pt.settled(lab.patience)
      lab.judge(announces(pt, role, name), pt, `CMETHOD ${name}`)
    },
  },
  {
    ids: ['CM-4'],
    role,
    title: 'an unknown name causes no CMETHOD-ERROR',
    async run(lab) {
      const pt = await lab.launch(role, { TOR_PT_CLIENT_TRANSPORTS: UNKNOWN_NAME })
      await pt.settled(lab.patience)
      lab.judge(!pt.lines.some((line) => line.startsWith('CMETHOD-ERROR')), pt, 'CMETHODS DONE and no CMETHOD-ERROR')
    },
  },
  {
    ids: ['TRAP-2'],
    role,
    title: 'no CMETHOD-ERROR beside a transport that works',
    async run(lab) {
      const pt = await lab.launch(role, { TOR_PT_CLIENT_TRANSPORTS: `${lab.transport(role)},${UNKNOWN_NAME}` })
      await pt.settled(lab.patience)
      const error = pt.lines.some((line) => line.startsWith(`CMETHOD-ERROR ${UNKNOWN_NAME}`))
      lab.judge(!error, pt, 'CMETHOD and CMETHODS DONE only')
    },
  },
]

const lineProbes: readonly Probe<PtLab>[] = [
  {
    ids: ['CM-1'],
    role,
    title: 'CMETHOD names a listener that accepts',
    async run(lab) {
      const pt = await lab.launch(role)
      const line = await requireLine(pt, /^CMETHOD /, lab.patience)
      const [, , protocol = '', address = ''] = line.split(/ +/)
      const form = `CMETHOD ${lab.transport(role)} <socks4|socks5> <ip>:<port>`
      lab.judge(/^socks[45]$/.test(protocol) && isListening(address), pt, form, { seen: line })
      const wire = await lab.open(parseAddress(address))
      const seen = wire === undefined ? 'connection refused' : 'accepted'
      lab.judge(wire !== undefined, pt, 'a listener that accepts', {
        sent: 'a connection, as soon as CMETHOD came',
        seen,
      })
    },
  },
  {
    ids: ['CM-2'],
    role,
    title: 'a transport that cannot be launched is a CMETHOD-ERROR',
    async run(lab) {
      const name = lab.transport(role)
      if (!announces(await plainStart(lab, role), role, name)) cannotTell('it launches no transport in any case')
      const pt = await lab.launch(role, {}, undefined, withoutPorts())
      await pt.settled(lab.patience)
      if (!hasNamespace(pt)) cannotTell('only a network of its own makes it fail, which this system does not give')
      if (announces(pt, role, name)) cannotTell('it launches although no port is free')
      const error = new RegExp(`^CMETHOD-ERROR ${name} .`)
      lab.judge(
        pt.lines.some((line) => error.test(line)),
        pt,
        `CMETHOD-ERROR ${name} <message>, as no port is free`,
        { sent: 'a network of its own, in which no port can be had' },
      )
    },
  },
  {
    ids: ['CM-3'],
    role,
    title: 'CMETHODS DONE comes once, after all others',
    async run(lab) {
      const pt = await plainStart(lab, role)
      const at = pt.lines.indexOf('CMETHODS DONE')
      lab.judge(at !== -1, pt, 'CMETHODS DONE')
      lab.judge(
        !pt.lines.slice(at + 1).some((line) => line.startsWith('CMETHOD')),
        pt,
        'nothing about transports after it',
      )
      const none = await lab.launch(role, { TOR_PT_CLIENT_TRANSPORTS: UNKNOWN_NAME })
      await none.settled(lab.patience)
      lab.judge(none.lines.includes('CMETHODS DONE'), none, 'CMETHODS DONE, though it knows none of the names')
    },
  },
  {
    ids: ['ARCH-3'],
    role,
    title: 'SOCKS 5 is preferred',
    async run(lab) {
      const line = await methodLine(lab)
      lab.judge(/^CMETHOD +\S+ +socks5 /.test(line), await plainStart(lab, role), 'socks5 in CMETHOD', { seen: line })
    },
  },
  {
    ids: ['TRAP-4'],
    role,
    title: 'the SOCKS port is on loopback',
    async run(lab) {
      const line = await methodLine(lab)
      const address = line.split(/ +/)[3] ?? ''
      if (!isListening(address)) cannotTell('its address cannot be read')
      lab.judge(isLoopback(parseAddress(address).host), await plainStart(lab, role), 'a loopback address', {
        seen: line,
      })
    },
  },
  {
    ids: ['TRAP-8'],
    role,
    title: 'CMETHOD has three words, with single spaces',
    async run(lab) {
      const line = await methodLine(lab)
      lab.judge(line.split(' ').length === 4, await plainStart(lab, role), 'CMETHOD and three words', { seen: line })
    },
  },
]

export const cmethodProbes: readonly Probe<PtLab>[] = [...nameProbes, ...lineProbes]

/** True for `<ip>:<port>` with a port that can be connected to. */
export function isListening(text: string): boolean {
  try {
    return parseAddress(text).port !== 0
  } catch {
    return false
  }
}
