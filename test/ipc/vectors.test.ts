/**
 * Every vector of the areas that concern src/ipc, put through its public functions. What comes out is told in the words
 * of the vectors; `deviations` holds the vectors that expect something else.
 */
import { describe, expect, it } from 'vitest'
import type { Message } from '../../src/ipc/index.ts'
import {
  Args,
  formatAddress,
  formatClientArgs,
  formatClientEnvironment,
  formatCString,
  formatLine,
  formatMessage,
  formatProxyUri,
  formatServerEnvironment,
  formatSmethodArgs,
  formatTransportOptions,
  implementationOf,
  isArgument,
  isKeyword,
  isLoopback,
  isTransportName,
  LineSplitter,
  parseAddress,
  parseClientArgs,
  parseCString,
  parseKvLine,
  parseMessage,
  parseProxyUri,
  parseTransportOptions,
  readClientEnvironment,
  readOutboundBind,
  readProxy,
  readRole,
  readServerEnvironment,
  readVersion,
  versionStatus,
} from '../../src/ipc/index.ts'
import type { Vector } from '../vectors.ts'
import { bytesOf, vectors, vectorsOf } from '../vectors.ts'
import { deviations } from './deviations.ts'

/** Where the vectors of each area are shown. */
const covered: Readonly<Record<string, string>> = {
  'args.clientEncode': 'ipc',
  'args.clientParse': 'ipc',
  'args.smethodDecode': 'ipc',
  'args.smethodEncode': 'ipc',
  'args.socksSplit': 'socks',
  'env.addr': 'ipc',
  'env.clientTransports': 'ipc',
  'env.outboundBind': 'ipc',
  'env.proxy': 'ipc',
  'env.serverBindaddr': 'ipc',
  'env.serverOptions': 'ipc',
  'env.serverSetup': 'ipc',
  'env.version': 'ipc',
  'extor.client': 'extor',
  'extor.cookie': 'extor',
  'extor.frameDecode': 'extor',
  'extor.frameEncode': 'extor',
  'extor.hash': 'extor',
  'extor.server': 'extor',
  'http.connectReply': 'upstream',
  'http.connectRequest': 'upstream',
  'ipc.cstringDecode': 'ipc',
  'ipc.cstringEncode': 'ipc',
  'ipc.kvline': 'ipc',
  'ipc.line': 'ipc',
  'ipc.log': 'ipc',
  'ipc.parse': 'ipc',
  'ipc.state': 'parent',
  'ipc.status': 'ipc',
  'lifecycle.stdin': 'pt',
  'line.argSafe': 'ipc',
  'line.format': 'ipc',
  'line.keywordSafe': 'ipc',
  name: 'ipc',
  'parent.kvItem': 'ipc',
  'parent.proxyUri': 'ipc',
  'parent.serverOptionsEncode': 'ipc',
  'socks4.client': 'socks',
  'socks4.server': 'socks',
  'socks5.auth': 'socks',
  'socks5.clientAuth': 'socks',
  'socks5.clientDialog': 'socks',
  'socks5.clientReply': 'socks',
  'socks5.greeting': 'socks',
  'socks5.reply': 'socks',
  'socks5.replyCode': 'socks',
  'socks5.request': 'socks',
  'state.dir': 'pt',
}

type Pairs = [string, string][]
type Variables = Record<string, string>

const common = { TOR_PT_MANAGED_TRANSPORT_VER: '1', TOR_PT_STATE_LOCATION: '/var/lib/pt' }
const lists = (args: Args): Record<string, string[]> =>
  Object.fromEntries([...args].map(([key]) => [key, args.getAll(key)]))

/** What comes of a vector's input, in the words of the vectors. Throws where the input is refused. */
const outcomes: Readonly<Record<string, (vector: Vector) => unknown>> = {
  'args.clientEncode': ({ input, expect }) => {
    if (Array.isArray(input)) return formatClientArgs(input as Pairs)
    // tor escapes a whole item: what it writes must read back as what it meant.
    const { string } = input as { string: string }
    return parseClientArgs(`k=${expect as string}`).get('k') === string ? expect : 'not read back'
  },
  'args.clientParse': ({ input }) => parseClientArgs(input as string).toJSON(),
  'args.smethodDecode': ({ input }) => ({ args: smethod(input as string).args.toJSON() }),
  'args.smethodEncode': ({ input }) => {
    const { name: transport, addr } = (input ?? {}) as { name?: string; addr?: string }
    if (addr === undefined) return formatSmethodArgs((input ?? {}) as Record<string, string[]>)
    const line = `SMETHOD ${transport} ${addr} ARGS:`
    expect(smethod(line).args.size).toBe(0)
    return formatMessage(smethod(line)).trimEnd()
  },
  'env.addr': ({ input }) => parseAddress(input as string),
  'env.clientTransports': ({ input }) => {
    if (input !== null && typeof input === 'object') return readRole(input as Variables)
    return readClientEnvironment({ ...common, TOR_PT_CLIENT_TRANSPORTS: (input as string | null) ?? undefined })
      .transports
  },
  'env.outboundBind': ({ input }) => {
    const { dest, ...variables } = input as Variables
    const bind = readOutboundBind(variables)
    if (dest !== undefined) return { bind: isLoopback(parseAddress(dest).host) ? null : bind }
    return { v4: null, ...bind }
  },
  'env.proxy': ({ input }) => {
    const proxy = readProxy({ TOR_PT_PROXY: (input as string | null) ?? undefined })
    return proxy === undefined ? { proxy: null } : { ok: true }
  },
  'env.serverBindaddr': ({ input }) => {
    const { BINDADDR, TRANSPORTS, OPTIONS } = input as Variables
    if (BINDADDR === undefined) return { TOR_PT_SERVER_BINDADDR: serverVariables('obfs4')['TOR_PT_SERVER_BINDADDR'] }
    const { transports } = readServerEnvironment({
      ...common,
      TOR_PT_SERVER_BINDADDR: BINDADDR,
      TOR_PT_SERVER_TRANSPORTS: TRANSPORTS,
      TOR_PT_SERVER_TRANSPORT_OPTIONS: OPTIONS,
      TOR_PT_ORPORT: '127.0.0.1:9001',
    })
    if (OPTIONS?.includes(','))
      return { options_of_alpha: lists(transports.find(({ name }) => name === 'alpha')?.options ?? Args.none) }
    return transports.map(({ name, bindAddress, options }) =>
      Object.assign({ method: name, options: lists(options) }, bindAddress),
    )
  },
  'env.serverOptions': ({ input }) =>
    Object.fromEntries([...parseTransportOptions(input as string)].map(([name, args]) => [name, lists(args)])),
  'env.serverSetup': ({ input }) => {
    const { destination } = readServerEnvironment({
      ...common,
      TOR_PT_SERVER_TRANSPORTS: 'a',
      ...(input as Variables),
    })
    return destination.type === 'orPort' ? 'ok: plain ORPort' : 'ok: ExtORPort'
  },
  'env.version': ({ input }) => ({
    version: readVersion({ TOR_PT_MANAGED_TRANSPORT_VER: (input as string | null) ?? undefined }),
  }),
  'ipc.cstringDecode': ({ input }) => wholeCString(input as string),
  'ipc.cstringEncode': ({ input, expect: goptlib }) => {
    expect(wholeCString(goptlib as string)).toBe(input)
    return formatCString(input as string)
  },
  'ipc.kvline': ({ input }) => parseKvLine((input as { line: string }).line).toJSON(),
  'ipc.line': ({ input }) => {
    if ((input as string).startsWith('VERSION'))
      return { line: [...new LineSplitter().push(bytesOf(input as string))][0] }
    const splitter = new LineSplitter()
    const chunk = Buffer.alloc(1024, 'x')
    for (let size = 0; size < 10 << 20; size += chunk.length) {
      try {
        expect([...splitter.push(chunk)]).toEqual([])
      } catch (error) {
        expect(error).toMatchObject({ code: 'PT_LINE_TOO_LONG' })
        return { limit: size }
      }
    }
    return 'no limit'
  },
  'ipc.log': ({ input, expect }) => {
    const message = parseMessage(input as string)
    if ('control_event' in (expect as object)) return { control_event: event('PT_LOG', message) }
    return message.type === 'log' ? { severity: message.severity, message: message.message } : message.type
  },
  'ipc.parse': ({ input }) => told(parseMessage(input as string)),
  'ipc.status': ({ input, expect }) => {
    if (typeof input === 'string') return toldStatus(parseMessage(input), expect as object)
    if (Array.isArray(input)) return (input as string[]).map((line) => extraInfo(smethod(line))).join('')
    const { implementation, version } = input as { implementation: string; version: string }
    return formatMessage(versionStatus(implementation, version))
  },
  'line.argSafe': ({ input }) => ({ safe: isArgument(bytesOf(input as string).toString('latin1')) }),
  'line.format': ({ input }) => {
    const { keyword, args } = input as { keyword: string; args: string[] }
    return formatLine(keyword, ...args)
  },
  'line.keywordSafe': ({ input }) => ({ safe: isKeyword(bytesOf(input as string).toString('latin1')) }),
  name: ({ input }) => ({ valid: isTransportName(input as string) }),
  'parent.kvItem': ({ input }) => {
    const item = Array.isArray(input) ? formatClientArgs([input as [string, string]]) : (input as string)
    try {
      return { valid: parseClientArgs(item).size === 1 }
    } catch {
      return { valid: false }
    }
  },
  'parent.proxyUri': ({ input, expect }) => proxyUri(input, expect),
  'parent.serverOptionsEncode': ({ input }) => {
    const { transports, torrc } = input as { transports: string[]; torrc: string[] }
    const options = transports.map((transport): [string, Pairs] => {
      const items = torrc.find((line) => line.startsWith(`${transport} `))?.split(' ') ?? []
      return [transport, items.slice(1).map((item) => item.split('=') as [string, string])]
    })
    return formatTransportOptions(options)
  },
}

function smethod(line: string): Extract<Message, { type: 'smethod' }> {
  const message = parseMessage(line)
  if (message.type !== 'smethod') throw new Error(`${line} is read as ${message.type}`)
  return message
}

function serverVariables(name: string): Variables {
  const destination = { type: 'orPort', address: { host: '127.0.0.1', port: 9001 } } as const
  return formatServerEnvironment({ transports: [{ name }], stateDir: '/var/lib/pt', destination })
}

function wholeCString(text: string): string {
  const { value, end } = parseCString(text)
  expect(end).toBe(text.length)
  return value
}

/** tor's event for a line that it has read; ours is written from what we have read of it. */
function event(keyword: string, message: Message): string {
  const line = formatMessage(message).trimEnd()
  return `650 ${keyword} PT=<testcase> ${line.slice(line.indexOf(' ') + 1)}`
}

function told(message: Message): unknown {
  const type = message.type.replace(/^[cs]?[a-z]/, (start) => start.toUpperCase())
  if (message.type === 'version') return { type, version: message.version }
  if (!('transport' in message)) return { type }
  const name = message.transport
  if (message.type === 'smethod') return { type, name, ...message.address, args_raw: formatSmethodArgs(message.args) }
  if (message.type !== 'cmethod') return { type, name }
  return { type, name, socks: Number(message.protocol.slice('socks'.length)), ...message.address }
}

function toldStatus(message: Message, expect: object): unknown {
  if (message.type !== 'status') return message.type
  if ('control_event' in expect) return { control_event: event('PT_STATUS', message) }
  if ('implementation' in expect) return implementationOf(message.args) ?? { implementation: null, version: null }
  return 'arti' in expect ? message.args.toJSON() : Object.fromEntries(message.args)
}

function extraInfo({ transport, address, args }: Extract<Message, { type: 'smethod' }>): string {
  return `transport ${[transport, formatAddress(address), ...(args.size === 0 ? [] : [formatSmethodArgs(args)])].join(' ')}\ntransport-info\n`
}

function proxyUri(input: unknown, expected: unknown): unknown {
  if (typeof input === 'string') {
    const { protocol, address, user, password } = parseProxyUri(input)
    const version = { socks5: { v: 5 }, socks4a: { v: 4 }, http: { http: true } }[protocol]
    return { ...version, host: address.host, userid: user, auth: [user, password] }
  }
  const { Socks5Proxy, HTTPSProxy, addr, auth, user, pass } = input as Record<string, string | undefined>
  const target = Socks5Proxy ?? HTTPSProxy ?? addr
  const client = { transports: ['a'], stateDir: '/var/lib/pt' }
  if (target === undefined) return formatClientEnvironment(client)['TOR_PT_PROXY'] ?? null
  const [name = user, password = pass] = auth?.split(':') ?? []
  const proxy = {
    protocol: HTTPSProxy === undefined ? 'socks5' : 'http',
    address: parseAddress(target),
    ...(name === undefined ? {} : { user: name }),
    ...(password === undefined ? {} : { password }),
  } as const
  const uri = formatProxyUri(proxy)
  expect(parseProxyUri(uri)).toEqual(proxy)
  // What tor writes reads as the same proxy, though it encodes nothing.
  if (typeof expected === 'string') expect(parseProxyUri(expected)).toEqual(proxy)
  return addr === undefined ? uri : { contains: [uri.match(/%40/)?.[0]], roundtrips: true }
}

/** Refusals of the environment carry the line that says so; the vectors tell its keyword, or nothing but the refusal. */
function attempt(vector: Vector): unknown {
  try {
    return outcomes[vector.area]?.(vector)
  } catch (error) {
    expect(error).toMatchObject({ name: 'PtError' })
    const keyword = (error as { line?: string }).line?.split(' ')[0]
    return keyword === undefined ? { error: true } : { error: true, keyword }
  }
}

function wanted({ id, area, expect }: Vector): unknown {
  if (id in deviations) return deviations[id]?.ours
  if (area === 'env.serverSetup' && String(expect).includes('-ERROR')) return refusal(expect)
  if (expect === null || typeof expect !== 'object' || Array.isArray(expect)) return expect
  if ('better' in expect) return { args: expect.better }
  if (area === 'env.proxy' && isRefusal(expect)) return refusal('PROXY-ERROR')
  return 'error' in expect ? refusal(expect.error) : expect
}

function refusal(error: unknown): unknown {
  const keyword = /^[A-Z]+-ERROR/.exec(String(error))?.[0]
  return keyword === undefined ? { error: true } : { error: true, keyword }
}

/** Several implementations have their own word for what becomes of a proxy; the strictest counts. */
function isRefusal(expect: { error?: true; ok?: boolean; ok_lyrebird?: boolean }): boolean {
  return expect.error === true || expect.ok === false || expect.ok_lyrebird === false
}

describe('vectors', () => {
  it('each area is shown by some room', () => {
    expect([...new Set(vectors.map((vector) => vector.area))].sort()).toEqual(Object.keys(covered).sort())
  })

  it('each area of ipc has an outcome, and each deviation a vector', () => {
    const areas = Object.keys(covered).filter((area) => covered[area] === 'ipc')
    expect(Object.keys(outcomes).sort()).toEqual(areas.sort())
    const ids = new Set(vectorsOf(...areas).map((vector) => vector.id))
    expect(Object.keys(deviations).filter((id) => !ids.has(id))).toEqual([])
  })

  describe.each(Object.keys(outcomes))('%s', (area) => {
    it.each(vectorsOf(area).map((vector) => [vector.id, vector] as const))('%s', (id, vector) => {
      const actual = attempt(vector)
      const expected = wanted(vector)
      // The vectors tell of some results only that there is one, and of others a part.
      const accepted = expected !== null && typeof expected === 'object' && Object.keys(expected)[0]?.startsWith('ok')
      if (accepted) expect(actual).not.toHaveProperty('error')
      else if (Array.isArray(expected) || typeof expected !== 'object') expect(actual).toEqual(expected)
      else if (expected === null || area === 'env.serverOptions') expect(actual).toEqual(expected)
      else expect(actual).toMatchObject(expected)
      expect(id in deviations && JSON.stringify(vector.expect) === JSON.stringify(expected)).toBe(false)
    })
  })
})
