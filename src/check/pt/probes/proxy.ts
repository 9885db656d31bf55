/** Probes of the upstream proxy. Sections "Client Environment Variables", "Client Messages", "Anonymity Considerations". */
import type { Address } from '../../../ipc/index.ts'
import { formatAddress } from '../../../ipc/index.ts'
import { answerTo, QUIET } from '../evidence.ts'
import type { Launched } from '../../lab/launch.ts'
import type { Probe } from '../../probe.ts'
import { cannotTell, notApplicable } from '../../probe.ts'
import type { Pair, PtLab } from '../pt-lab.ts'
import { joined } from '../pt-lab.ts'
import type { ProxyType, RunningProxy } from '../proxy.ts'
import { openProxy, proxyTypes } from '../proxy.ts'
import type { Listener } from '../../lab/wire.ts'

/** No URI of a proxy, each for a reason of its own. */
const malformed = [
  'nonsense',
  'gopher://127.0.0.1:1',
  'socks5://127.0.0.1',
  'socks5://proxy.example:1080',
  'socks5://127.0.0.1:99999',
]

/** A name that no resolver knows. */
const HOST_NAME = 'bridge.postern-check.invalid'

function atMethod(pt: Launched): number {
  const at = pt.lines.findIndex((line) => line.startsWith('CMETHOD'))
  return at === -1 ? pt.lines.length : at
}

function atAnswer(pt: Launched): number {
  return pt.lines.findIndex((line) => /^PROXY(?: DONE|-ERROR)/.test(line))
}

/** Returns a type that the program confirms; if there is none, the question does not arise. */
async function usableType(lab: PtLab): Promise<ProxyType> {
  for (const type of proxyTypes) {
    const pt = await answerTo(lab, `${type}://127.0.0.1:1`)
    if (pt.lines.includes('PROXY DONE')) return type
  }
  return notApplicable('it confirms no upstream proxy of the types socks5, http and socks4a')
}

interface Route {
  /** The bridge at the address that the client is told. */
  readonly bridge: Listener
  readonly args: string
}

/** Makes an address that stands for the bridge, and that leads to a server if there is one. */
async function route(lab: PtLab): Promise<Route> {
  if (lab.subject.commands.server === undefined) return { bridge: await lab.listen(), args: lab.subject.args }
  const app = await lab.echo()
  const server = await lab.server({ TOR_PT_ORPORT: formatAddress(app.address) })
  const bridge = (await lab.way(server.method.address)).listener
  return { bridge, args: joined(server.method.args, lab.subject.args) }
}

interface Attempt extends Route {
  readonly pt: Pair['client']
  readonly proxy: RunningProxy
  readonly granted: boolean
  /** How many connections reached the bridge in another way than through the proxy, within `ms`. */
  around(ms?: number): Promise<number>
}

/** Tries one connection with a proxy; `close` ends the proxy first. */
async function attempt(
  lab: PtLab,
  type: ProxyType,
  options: Parameters<typeof openProxy>[2],
  more: { readonly login?: string; readonly close?: boolean; readonly host?: string } = {},
): Promise<Attempt> {
  const { bridge, args } = await route(lab)
  const proxy = await openProxy(lab, type, { onward: bridge.address, ...options })
  const login = more.login === undefined ? '' : `${more.login}@`
  const uri = `${type}://${login}${formatAddress(proxy.listener.address)}`
  const pt = await lab.client({ TOR_PT_PROXY: uri })
  if (!pt.lines.includes('PROXY DONE'))
    notApplicable(`it does not take a proxy of the form ${uri.replace(/:\d+$/, '')}`)
  if (more.close === true) await proxy.listener.close()
  const target: Address = more.host === undefined ? bridge.address : { host: more.host, port: bridge.address.port }
  const { granted } = await lab.dial(pt, target, args, { patience: 5_000 })
  const around = async (ms = QUIET): Promise<number> => {
    await bridge.wire(bridge.wires.length, ms)
    return bridge.wires.filter(({ remotePort }) => !proxy.ports.has(remotePort)).length
  }
  return { bridge, args, pt, proxy, granted, around }
}

const answerProbes: readonly Probe<PtLab>[] = [
  {
    ids: ['FLOW-4', 'PROXY-1'],
    role: 'client',
    title: 'the proxy is validated before any transport is launched',
    async run(lab) {
      for (const uri of ['socks5://127.0.0.1:1', ...malformed]) {
        const pt = await answerTo(lab, uri)
        if (atAnswer(pt) === -1) continue
        lab.judge(atAnswer(pt) < atMethod(pt), pt, 'the answer about the proxy before CMETHOD')
      }
    },
  },
  {
    ids: ['PROXY-2'],
    role: 'client',
    title: 'it answers PROXY DONE or PROXY-ERROR',
    async run(lab) {
      const good = await answerTo(lab, 'socks5://127.0.0.1:1')
      lab.judge(atAnswer(good) !== -1, good, 'PROXY DONE or PROXY-ERROR')
      for (const uri of malformed) {
        const pt = await answerTo(lab, uri)
        lab.judge(
          pt.lines.some((line) => line.startsWith('PROXY-ERROR ')),
          pt,
          'PROXY-ERROR',
        )
      }
    },
  },
  {
    ids: ['PROXY-3'],
    role: 'client',
    title: 'it ends after PROXY-ERROR',
    async run(lab) {
      const all = await Promise.all(['socks5://127.0.0.1:1', ...malformed].map((uri) => answerTo(lab, uri)))
      const said = all.filter((pt) => pt.lines.some((line) => line.startsWith('PROXY-ERROR')))
      if (said.length === 0) cannotTell('nothing made it say PROXY-ERROR')
      for (const pt of said) lab.judge(pt.exit !== undefined, pt, 'its end within 5 s')
    },
  },
]

const useProbes: readonly Probe<PtLab>[] = [
  {
    ids: ['CENV-3'],
    role: 'client',
    title: 'every connection goes through the proxy',
    async run(lab) {
      const type = await usableType(lab)
      const granted = await attempt(lab, type, { answer: 'grant' })
      const around = await granted.around()
      const seen = `${granted.proxy.asked.length} requests at the proxy, ${around} connections around it`
      if (granted.proxy.asked.length + around === 0) cannotTell('it made no connection')
      lab.judge(around === 0, granted.pt, 'connections through the proxy only', { seen })
      const refused = await attempt(lab, type, { answer: 'refuse' })
      const aroundRefused = await refused.around()
      lab.judge(aroundRefused === 0, refused.pt, 'no connection around a proxy that refuses', {
        seen: `${refused.proxy.asked.length} requests at the proxy, ${aroundRefused} connections around it`,
      })
    },
  },
  {
    ids: ['ANON-3'],
    role: 'client',
    title: 'a proxy that is down, breaks off, or dies later is not gone around',
    async run(lab) {
      const type = await usableType(lab)
      for (const [what, close] of [
        ['is down', true],
        ['breaks off', false],
      ] as const) {
        const tried = await attempt(lab, type, { answer: 'cut' }, { close })
        const around = await tried.around()
        const seen = `${around} connections around it`
        lab.judge(around === 0, tried.pt, 'no connection', { sent: `a SOCKS request, while the proxy ${what}`, seen })
      }
      const used = await attempt(lab, type, { answer: 'grant' })
      await used.proxy.listener.close()
      await lab.dial(used.pt, used.bridge.address, used.args, { patience: 5_000 })
      const around = await used.around()
      lab.judge(around === 0, used.pt, 'no connection', {
        sent: 'a SOCKS request that the proxy granted; another one, once the proxy had been killed',
        seen: `${around} connections around it`,
      })
    },
  },
  {
    ids: ['ANON-2'],
    role: 'client',
    title: 'with a proxy, host names are resolved by the proxy',
    async run(lab) {
      const type = await usableType(lab)
      const { pt, proxy } = await attempt(lab, type, { answer: 'grant' }, { host: HOST_NAME })
      const [asked] = proxy.asked
      if (asked === undefined) cannotTell('it asked the proxy for nothing although the bridge is a host name')
      const seen = `the proxy was asked for ${asked.host}`
      lab.judge(asked.host === HOST_NAME, pt, 'the name in the request', { sent: `a request for ${HOST_NAME}`, seen })
    },
  },
  {
    ids: ['CENV-4'],
    role: 'client',
    title: 'the URI of the proxy is read as it is meant',
    async run(lab) {
      const first = await usableType(lab)
      for (const type of proxyTypes) {
        const pt = await answerTo(lab, `${type}://127.0.0.1:1`)
        if (!pt.lines.includes('PROXY DONE')) continue
        const login = type === 'socks4a' || type !== first ? undefined : 'tor:test1234'
        const options = { answer: 'grant' as const, login: login !== undefined }
        const tried = await attempt(lab, type, options, login === undefined ? {} : { login })
        const [asked] = tried.proxy.asked
        const arrived = tried.proxy.listener.wires.length > 0
        if (asked === undefined && !arrived) cannotTell('it made no connection to the proxy')
        const wanted = asked !== undefined && asked.port === tried.bridge.address.port && asked.login === (login ?? '')
        const seen =
          asked === undefined ? 'no such request' : `a request for port ${asked.port} with login "${asked.login}"`
        lab.judge(wanted, tried.pt, `a ${type} request for the bridge, with the login of the URI`, { seen })
      }
    },
  },
  {
    ids: ['TRAP-14'],
    role: 'client',
    title: 'socks4 is a proxy type like socks4a',
    async run(lab) {
      const four = await answerTo(lab, 'socks4a://127.0.0.1:1')
      if (!four.lines.includes('PROXY DONE')) notApplicable('it takes no socks4a proxy')
      const pt = await answerTo(lab, 'socks4://127.0.0.1:1')
      lab.judge(pt.lines.includes('PROXY DONE'), pt, 'PROXY DONE')
    },
  },
]

export const proxyProbes: readonly Probe<PtLab>[] = [...answerProbes, ...useProbes]
