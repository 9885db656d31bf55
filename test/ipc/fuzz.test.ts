/**
 * Random and mutated bytes through every reader: only PtError comes out, soon, and nothing is kept. The run is fixed by
 * its seed; POSTERN_FUZZ_SEED=<n> tries another one, POSTERN_FUZZ_MS=<n> a longer one.
 */
import { performance } from 'node:perf_hooks'
import { describe, expect, it } from 'vitest'
import {
  formatMessage,
  LINE_LIMIT,
  LineSplitter,
  parseAddress,
  parseClientArgs,
  parseCString,
  parseKvLine,
  parseMessage,
  parseNames,
  parseProxyUri,
  parseSmethodArgs,
  parseTarget,
  parseTransportOptions,
  readClientEnvironment,
  readOutboundBind,
  readProxy,
  readRole,
  readServerEnvironment,
  readVersion,
} from '../../src/ipc/index.ts'
import { isPtError } from '../../src/error.ts'
import { vectors } from '../vectors.ts'

const variables = [
  'TOR_PT_MANAGED_TRANSPORT_VER',
  'TOR_PT_STATE_LOCATION',
  'TOR_PT_EXIT_ON_STDIN_CLOSE',
  'TOR_PT_CLIENT_TRANSPORTS',
  'TOR_PT_PROXY',
  'TOR_PT_OUTBOUND_BIND_ADDRESS_V4',
  'TOR_PT_OUTBOUND_BIND_ADDRESS_V6',
  'TOR_PT_SERVER_TRANSPORTS',
  'TOR_PT_SERVER_TRANSPORT_OPTIONS',
  'TOR_PT_SERVER_BINDADDR',
  'TOR_PT_ORPORT',
  'TOR_PT_EXTENDED_SERVER_PORT',
  'TOR_PT_AUTH_COOKIE_FILE',
]

/** An environment that is right but for one variable. */
function around(variable: string, value: string): Record<string, string> {
  const role =
    variable.includes('SERVER_TRANSPORTS') || variable.includes('CLIENT') ? {} : { TOR_PT_SERVER_TRANSPORTS: 'a' }
  return {
    TOR_PT_MANAGED_TRANSPORT_VER: '1',
    TOR_PT_STATE_LOCATION: '/s',
    TOR_PT_ORPORT: '127.0.0.1:1',
    ...role,
    [variable]: value,
  }
}

const parsers: Readonly<Record<string, (text: string) => unknown>> = {
  parseAddress,
  parseTarget,
  parseNames,
  parseClientArgs,
  parseSmethodArgs,
  parseTransportOptions,
  parseCString,
  parseKvLine,
  parseProxyUri,
  parseMessage: (text) => {
    const message = parseMessage(text)
    // What was read can be written again, unless it holds what no PT may write.
    if (message.type !== 'unknown' && /^[\x20-\x7e]*$/.test(text) && !text.includes('\\')) formatMessage(message)
  },
  LineSplitter: (text) =>
    [...new LineSplitter(1000).push(Buffer.from(text, 'latin1'))].map((line) => parseMessage(line)),
}

/** Each variable in turn, through all that reads the environment. */
const environments = Object.fromEntries(
  variables.map((variable) => {
    const all = [readVersion, readRole, readClientEnvironment, readServerEnvironment, readProxy, readOutboundBind]
    const read = (text: string): void => {
      const env = around(variable, text)
      for (const one of all) attempt(() => one(env))
    }
    return [variable, read] as const
  }),
)

const readers = { ...parsers, ...environments }

/** Runs it; false where it was refused. Any other error than a PtError is thrown on. */
function attempt(act: () => unknown): boolean {
  try {
    act()
    return true
  } catch (error) {
    if (!isPtError(error)) throw error
    // What a PT would say of it is one line that its parent can read.
    if (error.line !== undefined) expect(parseMessage(error.line).type).toMatch(/^(?:env|proxy|version)Error$/)
    return false
  }
}

/** mulberry32: small, fast, and the same everywhere. */
function randomness(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const special = [
  '\\',
  '"',
  '=',
  ';',
  ',',
  ':',
  '@',
  '%',
  '/',
  '-',
  '[',
  ']',
  ' ',
  '\t',
  '\r',
  '\n',
  '\0',
  'é',
  '\ud800',
  '\u2028',
  '0',
  '9',
  '__proto__',
]

function mutate(text: string, random: (below: number) => number): string {
  let mutated = text
  for (let times = random(4); times >= 0; times--) {
    const at = random(mutated.length + 1)
    const cut = random(3) === 0 ? random(8) : random(2)
    const inserted = [
      special[random(special.length)],
      String.fromCharCode(random(256)),
      mutated.slice(at, at + 10),
      '',
    ][random(4)]
    mutated = mutated.slice(0, at) + (inserted ?? '') + mutated.slice(at + cut)
  }
  return mutated.slice(0, 2000)
}

const seeds = [
  ...vectors.flatMap(({ input }) => (typeof input === 'string' ? [input] : [])),
  'a:k=v;b:k\\==v',
  'obfs3-198.51.100.1:1984,scramblesuit-[::1]:4891',
  'STATUS TRANSPORT=obfs4 ERRSTR="Connection \\"refused\\""',
  '"\\303\\251\\x41"',
]

describe('any bytes', () => {
  const seed = Number(process.env['POSTERN_FUZZ_SEED'] ?? 20_261)
  const duration = Number(process.env['POSTERN_FUZZ_MS'] ?? 1000)

  it(`nothing but PtError comes out of any reader, and nothing is kept (seed ${seed})`, () => {
    const random = randomness(seed)
    const names = Object.keys(readers)
    const outcomes = { read: 0, refused: 0 }
    const end = performance.now() + duration
    let heap = 0
    for (let round = 0; round < 1000 || performance.now() < end; round++) {
      const text = mutate(seeds[random(seeds.length)] ?? '', random)
      for (const name of names) {
        try {
          outcomes[attempt(() => readers[name]?.(text)) ? 'read' : 'refused']++
        } catch (error) {
          throw new Error(`${name}(${JSON.stringify(text)})`, { cause: error })
        }
      }
      if (round === 500) heap = process.memoryUsage().heapUsed
    }
    expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(1000)
    expect(process.memoryUsage().heapUsed - heap).toBeLessThan(100 << 20)
  })
})

describe('long input', () => {
  const fillings = [
    ' ',
    '\\',
    '"',
    '=',
    ';',
    ',',
    ':',
    '@',
    '%',
    '%41',
    '[',
    '-',
    '/',
    '.',
    'a',
    '0',
    'a.',
    '0.',
    '\\"',
    'k=v ',
    'k=v;',
    'k=v,',
    'a:k=v;',
    'a-1.2.3.4:5,',
    '::',
    '\r',
    '\t',
    'é',
    '\0',
    '@/',
    'k="" ',
  ]
  const heads = ['', 'socks5://', 'CMETHOD ', 'STATUS A=', 'k=', '"']

  it('is read or refused in linear time: 64 KiB of anything in a few milliseconds', () => {
    const slow: string[] = []
    for (const filling of fillings) {
      for (const head of heads) {
        for (const tail of ['!', ' '.repeat(LINE_LIMIT / 2)]) {
          const text = head + filling.repeat((LINE_LIMIT - head.length - tail.length) / filling.length) + tail
          for (const [name, read] of Object.entries(parsers)) {
            const start = performance.now()
            attempt(() => read(text))
            const took = performance.now() - start
            // Quadratic behaviour takes seconds here; a pause of the machine does not last for two runs.
            if (took > 500 && measure(() => attempt(() => read(text))) > 500)
              slow.push(`${name}: ${head}${filling}…${tail.slice(0, 5)} ${took} ms`)
          }
        }
      }
    }
    expect(slow).toEqual([])
  })
})

function measure(act: () => unknown): number {
  const start = performance.now()
  act()
  return performance.now() - start
}
