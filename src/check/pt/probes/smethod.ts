/** Probes of a server's transports and what it says about them. Sections "Server Environment Variables", "Server Messages". */
import { formatAddress, parseSmethodArgs } from '../../../ipc/index.ts'
import { announces, plainStart } from '../evidence.ts'
import type { Launched } from '../../lab/launch.ts'
import type { Probe } from '../../probe.ts'
import { cannotTell, notApplicable } from '../../probe.ts'
import type { PtLab } from '../pt-lab.ts'
import { transportOptions } from '../pt-lab.ts'
import { UNKNOWN_NAME } from '../subject.ts'
import { isListening } from './cmethod.ts'

const role = 'server'

async function started(lab: PtLab, changes: Record<string, string | undefined>): Promise<Launched> {
  const pt = await lab.launch(role, changes)
  await pt.settled(lab.patience)
  return pt
}

/** The options of SMETHOD in the plain start. */
async function options(lab: PtLab): Promise<string[]> {
  const pt = await plainStart(lab, role)
  const line = pt.lines.find((line) => line.startsWith('SMETHOD ')) ?? cannotTell('it said no SMETHOD')
  return line.split(/ +/).slice(3)
}

async function argsOption(lab: PtLab): Promise<string> {
  const option = (await options(lab)).find((one) => one.startsWith('ARGS:'))
  return option?.slice('ARGS:'.length) ?? notApplicable('its SMETHOD has no ARGS')
}

const environmentProbes: readonly Probe<PtLab>[] = [
  {
    ids: ['SENV-2'],
    role,
    title: 'unknown names stop no other transport',
    async run(lab) {
      const name = lab.transport(role)
      const bind = `${UNKNOWN_NAME}-127.0.0.1:0,${name}-127.0.0.1:0`
      const list = `${UNKNOWN_NAME},${name}`
      const pt = await started(lab, { TOR_PT_SERVER_TRANSPORTS: list, TOR_PT_SERVER_BINDADDR: bind })
      lab.judge(announces(pt, role, name), pt, `SMETHOD ${name}`)
    },
  },
  {
    ids: ['TRAP-2'],
    role,
    title: 'no SMETHOD-ERROR beside a transport that works',
    async run(lab) {
      const name = lab.transport(role)
      const bind = `${name}-127.0.0.1:0,${UNKNOWN_NAME}-127.0.0.1:0`
      const list = `${name},${UNKNOWN_NAME}`
      const pt = await started(lab, { TOR_PT_SERVER_TRANSPORTS: list, TOR_PT_SERVER_BINDADDR: bind })
      const error = pt.lines.some((line) => line.startsWith(`SMETHOD-ERROR ${UNKNOWN_NAME}`))
      lab.judge(!error, pt, 'SMETHOD and SMETHODS DONE only')
    },
  },
  {
    ids: ['SENV-3'],
    role,
    title: 'options of other transports, several of one, and escapes in them are read',
    async run(lab) {
      const name = lab.transport(role)
      const list = `${UNKNOWN_NAME}:a=b;${UNKNOWN_NAME}:c=d\\;e\\:f\\\\g;${UNKNOWN_NAME}:c=`
      const own = transportOptions([name], lab.subject.options)['TOR_PT_SERVER_TRANSPORT_OPTIONS']
      const all = own === undefined ? list : `${list};${own}`
      const pt = await started(lab, { TOR_PT_SERVER_TRANSPORT_OPTIONS: all })
      lab.judge(announces(pt, role, name), pt, `SMETHOD ${name}`)
    },
  },
  {
    ids: ['SENV-6'],
    role,
    title: 'bind addresses may be left out, and there may be some of transports that are not asked for',
    async run(lab) {
      const name = lab.transport(role)
      for (const list of [`${UNKNOWN_NAME}-127.0.0.1:1,${name}-127.0.0.1:0`, undefined]) {
        const pt = await started(lab, { TOR_PT_SERVER_BINDADDR: list })
        lab.judge(announces(pt, role, name), pt, `SMETHOD ${name}`)
      }
    },
  },
  {
    ids: ['SENV-8'],
    role,
    title: 'a host name is no bind address',
    async run(lab) {
      const name = lab.transport(role)
      const pt = await started(lab, { TOR_PT_SERVER_BINDADDR: `${name}-localhost:0` })
      lab.judge(!announces(pt, role, name), pt, 'ENV-ERROR')
    },
  },
  {
    ids: ['SENV-13'],
    role,
    title: 'the extended port without a cookie file is an ENV-ERROR',
    async run(lab) {
      const pt = await started(lab, {
        TOR_PT_ORPORT: undefined,
        TOR_PT_EXTENDED_SERVER_PORT: '127.0.0.1:9',
        TOR_PT_AUTH_COOKIE_FILE: undefined,
      })
      lab.judge(
        pt.lines.some((line) => line.startsWith('ENV-ERROR')),
        pt,
        'ENV-ERROR',
      )
    },
  },
]

const lineProbes: readonly Probe<PtLab>[] = [
  {
    ids: ['SM-1'],
    role,
    title: 'SMETHOD names a listener that accepts',
    async run(lab) {
      const pt = await lab.launch(role)
      const line = await pt.until(/^SMETHOD /, lab.patience)
      const address = line?.split(/ +/)[2] ?? cannotTell('it said no SMETHOD')
      const form = `SMETHOD ${lab.transport(role)} <ip>:<port>`
      lab.judge(isListening(address), pt, form, { seen: line ?? '' })
      const wire = await lab.open((await lab.server()).method.address)
      lab.judge(wire !== undefined, pt, 'a listener that accepts', { sent: 'a connection to it' })
    },
  },
  {
    ids: ['SM-2'],
    role,
    title: 'it listens on exactly the bind address',
    async run(lab) {
      const name = lab.transport(role)
      const listener = await lab.listen()
      await listener.close()
      const bind = formatAddress(listener.address)
      const pt = await started(lab, { TOR_PT_SERVER_BINDADDR: `${name}-${bind}` })
      const line = pt.lines.find((line) => line.startsWith('SMETHOD ')) ?? cannotTell('it said no SMETHOD')
      lab.judge(line.split(/ +/)[2] === bind, pt, `SMETHOD ${name} ${bind}`)
      const wire = await lab.open(listener.address)
      lab.judge(wire !== undefined, pt, 'a listener there', { sent: `a connection to ${bind}` })
      const taken = await lab.listen()
      const other = await started(lab, { TOR_PT_SERVER_BINDADDR: `${name}-${formatAddress(taken.address)}` })
      lab.judge(!announces(other, role, name), other, 'no SMETHOD, as the address is taken')
    },
  },
  {
    ids: ['SM-5'],
    role,
    title: 'a transport that cannot be launched is an SMETHOD-ERROR',
    async run(lab) {
      const name = lab.transport(role)
      const taken = await lab.listen()
      const pt = await started(lab, { TOR_PT_SERVER_BINDADDR: `${name}-${formatAddress(taken.address)}` })
      if (announces(pt, role, name)) cannotTell('it launches although its address is taken')
      const error = new RegExp(`^SMETHOD-ERROR ${name} .`)
      lab.judge(
        pt.lines.some((line) => error.test(line)),
        pt,
        `SMETHOD-ERROR ${name} <message>, as the address is taken`,
      )
    },
  },
  {
    ids: ['SM-6'],
    role,
    title: 'SMETHODS DONE comes once, after all others',
    async run(lab) {
      const pt = await plainStart(lab, role)
      const at = pt.lines.indexOf('SMETHODS DONE')
      lab.judge(at !== -1, pt, 'SMETHODS DONE')
      lab.judge(
        !pt.lines.slice(at + 1).some((line) => line.startsWith('SMETHOD')),
        pt,
        'nothing about transports after it',
      )
    },
  },
]

const argsProbes: readonly Probe<PtLab>[] = [
  {
    ids: ['SM-3'],
    role,
    title: 'ARGS is a list of pairs',
    async run(lab) {
      const args = await argsOption(lab)
      const pairs = args.match(/(?:\\.|[^\\,])+/g) ?? []
      const good = pairs.every((pair) => /^(?:\\.|[^\\=,])+=/.test(pair)) && pairs.join(',') === args
      lab.judge(good, await plainStart(lab, role), 'ARGS:<k>=<v>,<k>=<v>')
    },
  },
  {
    ids: ['SM-4'],
    role,
    title: 'equal signs and commas in ARGS are escaped',
    async run(lab) {
      const args = await argsOption(lab)
      lab.judge(readable(args), await plainStart(lab, role), 'a backslash before each = and , in keys and values')
    },
  },
  {
    ids: ['TRAP-5'],
    role,
    title: 'ARGS is not empty',
    async run(lab) {
      lab.judge((await argsOption(lab)) !== '', await plainStart(lab, role), 'no ARGS if there is nothing to say')
    },
  },
  {
    ids: ['TRAP-6'],
    role,
    title: 'ARGS is the first option',
    async run(lab) {
      await argsOption(lab)
      const [first] = await options(lab)
      lab.judge(first?.startsWith('ARGS:') === true, await plainStart(lab, role), 'ARGS after the address')
    },
  },
  {
    ids: ['TRAP-8'],
    role,
    title: 'SMETHOD has single spaces',
    async run(lab) {
      const pt = await plainStart(lab, role)
      const line = pt.lines.find((line) => line.startsWith('SMETHOD ')) ?? cannotTell('it said no SMETHOD')
      lab.judge(!line.includes('  ') && !line.endsWith(' '), pt, 'one space between words', { seen: line })
    },
  },
]

export const smethodProbes: readonly Probe<PtLab>[] = [...environmentProbes, ...lineProbes, ...argsProbes]

function readable(args: string): boolean {
  try {
    parseSmethodArgs(args)
    return true
  } catch {
    return false
  }
}
