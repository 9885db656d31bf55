import fc from 'fast-check'
import type { Expected } from 'postern/parent'
import { Dialogue } from 'postern/parent'
import { describe, expect, test } from 'vitest'
import { vectorsOf } from '../vectors.ts'

const client: Expected = { role: 'client', transports: ['a', 'b'], proxy: false, allowRemote: false }
const proxied: Expected = { ...client, proxy: true }
const server: Expected = { ...client, role: 'server' }

interface Outcome {
  done: boolean
  warnings: string[]
  methods: string[]
  failures: Record<string, string>
  error?: { code: string; message: string }
}

/** Lets a PT say `lines`, and tells what came of it. */
function listen(expected: Expected, lines: readonly string[]): Outcome {
  const dialogue = new Dialogue(expected)
  const warnings: string[] = []
  let error: Outcome['error'] | undefined
  for (const line of lines) {
    try {
      const { warning } = dialogue.hear(line)
      if (warning !== undefined) warnings.push(warning)
    } catch (thrown) {
      error = thrown as { code: string; message: string }
      break
    }
  }
  const methods = [...dialogue.methods.values()].map(({ transport, address }) => `${transport} ${address.port}`)
  const failures = Object.fromEntries(dialogue.failures)
  return { done: dialogue.done, warnings, methods, failures, ...(error === undefined ? {} : { error }) }
}

const V = 'VERSION 1'
const A = 'CMETHOD a socks5 127.0.0.1:1'
const B = 'CMETHOD b socks4 [::1]:2'
const DONE = 'CMETHODS DONE'

describe('a dialogue that the draft allows is accepted', () => {
  const unknown = 'the PT does not know it'
  const good: [
    title: string,
    expected: Expected,
    lines: string[],
    methods: string[],
    failures: Record<string, string>,
  ][] = [
    ['as in the draft', client, [V, A, B, DONE], ['a 1', 'b 2'], {}],
    ['CM-5: in another order than asked for', client, [V, B, A, DONE], ['b 2', 'a 1'], {}],
    ['CM-5: an error before a success', client, [V, 'CMETHOD-ERROR a no rocks', B, DONE], ['b 2'], { a: 'no rocks' }],
    ['an error without a reason', client, [V, 'CMETHOD-ERROR a', B, DONE], ['b 2'], { a: '' }],
    ['CM-4: nothing at all is known', client, [V, DONE], [], { a: unknown, b: unknown }],
    ['with a proxy', proxied, [V, 'PROXY DONE', A, B, DONE], ['a 1', 'b 2'], {}],
    [
      'LINE-2: unknown keywords are ignored in every state',
      client,
      ['HELLO', V, 'FOO bar', 'CMETHODFOO a b c', 'VERSIONX 2', 'CMETHODS DONEX', '', A, B, DONE, 'BYE'],
      ['a 1', 'b 2'],
      {},
    ],
    [
      'LOG-2, STATUS-2: LOG and STATUS are legal in every state',
      client,
      [
        'LOG SEVERITY=info MESSAGE=x',
        V,
        'STATUS TRANSPORT=a K=V',
        A,
        B,
        DONE,
        'LOG SEVERITY=info MESSAGE="y z"',
        'STATUS TYPE=x',
      ],
      ['a 1', 'b 2'],
      {},
    ],
    [
      'a server',
      server,
      [V, 'SMETHOD a 198.51.100.1:19999', 'SMETHOD b [2001:db8::1]:2323 ARGS:N=13', 'SMETHODS DONE'],
      ['a 19999', 'b 2323'],
      {},
    ],
    [
      'a server with an error',
      server,
      [V, 'SMETHOD-ERROR a no cows', 'SMETHODS DONE'],
      [],
      { a: 'no cows', b: unknown },
    ],
  ]
  test.each(good)('%s', (_, expected, lines, methods, failures) => {
    expect(listen(expected, lines)).toEqual({ done: true, warnings: [], methods, failures })
  })

  test.each(good)('%s: and no prefix of it is ready', (_, expected, lines) => {
    const end = lines.findIndex((line) => line.endsWith('METHODS DONE'))
    for (let size = 0; size <= end; size++) {
      expect(listen(expected, lines.slice(0, size)), String(size)).toMatchObject({ done: false })
    }
  })
})

describe('what the draft forbids ends the PT, and the error says which line and why', () => {
  const bad: [title: string, expected: Expected, lines: string[], code: string, says: string][] = [
    ['CMETHOD before VERSION', client, [A], 'PT_PROTOCOL', `"${A}": VERSION must come before`],
    ['CMETHOD-ERROR before VERSION', client, ['CMETHOD-ERROR a x'], 'PT_PROTOCOL', 'VERSION must come before'],
    ['CMETHODS DONE before VERSION', client, [DONE], 'PT_PROTOCOL', 'VERSION must come before'],
    ['PROXY DONE before VERSION', proxied, ['PROXY DONE'], 'PT_PROTOCOL', 'VERSION must come before'],
    ['VERSION twice', client, [V, V], 'PT_PROTOCOL', 'VERSION comes once'],
    ['VERSION after all', client, [V, A, DONE, V], 'PT_PROTOCOL', 'VERSION comes once'],
    ['another version', client, ['VERSION 2'], 'PT_VERSION', 'it chose version 2'],
    ['a version that looks alike', client, ['VERSION 1.0'], 'PT_VERSION', '1.0'],
    ['VERSION without a version', client, ['VERSION'], 'PT_PROTOCOL', '"VERSION": malformed VERSION'],
    ['VERSION with two', client, ['VERSION 1 2'], 'PT_PROTOCOL', 'malformed VERSION'],
    ['CMETHOD after CMETHODS DONE', client, [V, A, DONE, B], 'PT_PROTOCOL', 'may follow CMETHODS DONE'],
    ['CMETHODS DONE twice', client, [V, A, DONE, DONE], 'PT_PROTOCOL', 'may follow CMETHODS DONE'],
    ['PROXY DONE after CMETHODS DONE', client, [V, DONE, 'PROXY DONE'], 'PT_PROTOCOL', 'may follow CMETHODS DONE'],
    [
      'a server speaks to the parent of a client',
      client,
      [V, 'SMETHOD a 127.0.0.1:1'],
      'PT_PROTOCOL',
      'a line of a server',
    ],
    ['SMETHOD-ERROR for a client', client, [V, 'SMETHOD-ERROR a x'], 'PT_PROTOCOL', 'a line of a server'],
    ['SMETHODS DONE for a client', client, [V, A, 'SMETHODS DONE'], 'PT_PROTOCOL', 'a line of a server'],
    ['a client speaks to the parent of a server', server, [V, A], 'PT_PROTOCOL', 'a line of a client'],
    ['CMETHODS DONE for a server', server, [V, DONE], 'PT_PROTOCOL', 'a line of a client'],
    ['CMETHOD cut off', client, [V, 'CMETHOD a socks5'], 'PT_PROTOCOL', '"CMETHOD a socks5": malformed CMETHOD'],
    ['CMETHOD with a host name', client, [V, 'CMETHOD a socks5 localhost:1'], 'PT_PROTOCOL', 'malformed CMETHOD'],
    ['CMETHOD with another protocol', client, [V, 'CMETHOD a http 127.0.0.1:1'], 'PT_PROTOCOL', 'malformed CMETHOD'],
    ['CMETHOD with port 0', client, [V, 'CMETHOD a socks5 127.0.0.1:0'], 'PT_PROTOCOL', 'malformed CMETHOD'],
    ['CMETHOD-ERROR of nothing', client, [V, 'CMETHOD-ERROR'], 'PT_PROTOCOL', 'malformed CMETHOD-ERROR'],
    ['SMETHOD without a port', server, [V, 'SMETHOD a 127.0.0.1'], 'PT_PROTOCOL', 'malformed SMETHOD'],
    ['a NUL', client, [V, 'CMETHOD a socks5 127.0.0.1:1\0'], 'PT_PROTOCOL', 'NUL'],
    ['VERSION-ERROR', client, ['VERSION-ERROR no-version'], 'PT_VERSION', 'VERSION-ERROR no-version'],
    ['ENV-ERROR before VERSION', client, ['ENV-ERROR no state'], 'PT_ENV', 'ENV-ERROR no state'],
    ['ENV-ERROR after VERSION', client, [V, 'ENV-ERROR no state'], 'PT_ENV', 'ENV-ERROR no state'],
    ['ENV-ERROR after all', client, [V, A, DONE, 'ENV-ERROR late'], 'PT_ENV', 'ENV-ERROR late'],
    ['PROXY-ERROR', proxied, [V, 'PROXY-ERROR SOCKS 4 unsupported'], 'PT_PROXY_URI', 'PROXY-ERROR SOCKS 4 unsupported'],
  ]
  test.each(bad)('%s', (_, expected, lines, code, says) => {
    const { error } = listen(expected, lines)
    expect(error?.code).toBe(code)
    expect(error?.message).toContain(says)
    expect(listen(expected, lines.slice(0, -1)).error).toBeUndefined()
  })

  test('an error never repeats ARGS, which may hold the secret of a bridge', () => {
    const { error } = listen(server, [V, 'SMETHOD a 127.0.0.1:1 ARGS:password=hunter2,x'])
    expect(error).toMatchObject({ code: 'PT_PROTOCOL' })
    expect(error?.message).not.toContain('hunter2')
  })

  test('an error shortens a long line', () => {
    expect(listen(client, [`VERSION ${' '.repeat(60_000)}`]).error?.message.length).toBeLessThan(400)
  })
})

describe('PROXY-2, CENV-3: with an upstream proxy, a PT that does not confirm it is not used', () => {
  test.each([[[V, A]], [[V, DONE]], [[V, 'CMETHOD-ERROR a x', DONE]]])('%j', (lines) => {
    const { error, methods } = listen(proxied, lines)
    expect(error).toMatchObject({ code: 'PT_PROTOCOL' })
    expect(error?.message).toContain('PROXY DONE must come before')
    expect(methods).toEqual([])
  })
})

describe('what is odd but harmless is a warning', () => {
  test.each<[string, Expected, string[], string[], RegExp]>([
    [
      'a transport reported twice: the first holds',
      client,
      [V, A, 'CMETHOD a socks5 127.0.0.1:9', B, DONE],
      ['a 1', 'b 2'],
      /reported before/,
    ],
    [
      'an error after a success: the first holds',
      client,
      [V, A, 'CMETHOD-ERROR a x', B, DONE],
      ['a 1', 'b 2'],
      /reported before/,
    ],
    [
      'a transport that was not requested',
      client,
      [V, A, 'CMETHOD z socks5 127.0.0.1:9', B, DONE],
      ['a 1', 'b 2'],
      /not requested/,
    ],
    [
      'an error of one that was not requested',
      client,
      [V, A, 'CMETHOD-ERROR z x', B, DONE],
      ['a 1', 'b 2'],
      /not requested/,
    ],
    ['PROXY DONE without a proxy', client, [V, 'PROXY DONE', A, B, DONE], ['a 1', 'b 2'], /no upstream proxy/],
    ['PROXY DONE twice', proxied, [V, 'PROXY DONE', 'PROXY DONE', A, B, DONE], ['a 1', 'b 2'], /twice/],
    ['LOG without a message', client, [V, 'LOG SEVERITY=info', A, B, DONE], ['a 1', 'b 2'], /malformed LOG/],
    [
      'LOG of an unknown severity',
      client,
      ['LOG SEVERITY=loud MESSAGE=x', V, A, B, DONE],
      ['a 1', 'b 2'],
      /malformed LOG/,
    ],
    ['STATUS without pairs', client, [V, A, B, DONE, 'STATUS'], ['a 1', 'b 2'], /malformed STATUS/],
    [
      'STATUS with an open quote',
      client,
      [V, A, B, DONE, 'STATUS TRANSPORT=a K="'],
      ['a 1', 'b 2'],
      /malformed STATUS/,
    ],
  ])('%s', (_, expected, lines, methods, warning) => {
    const outcome = listen(expected, lines)
    expect(outcome).toMatchObject({ done: true, methods, warnings: [expect.stringMatching(warning)] })
    expect(outcome.error).toBeUndefined()
  })
})

describe('a SOCKS port outside loopback', () => {
  test.each(['192.0.2.1:1', '0.0.0.0:1', '[::]:1', '[2001:db8::1]:1', '[::ffff:192.0.2.1]:1'])(
    'is not used: %s',
    (at) => {
      const outcome = listen(client, [V, `CMETHOD a socks5 ${at}`, DONE])
      expect(outcome).toMatchObject({ done: true, methods: [], warnings: [expect.stringMatching(/outside loopback/)] })
      expect(outcome.failures['a']).toContain('not on loopback')
    },
  )

  test.each(['127.0.0.1:1', '127.9.9.9:1', '[::1]:1', '[::ffff:127.0.0.1]:1'])('is not meant: %s', (at) => {
    expect(listen(client, [V, `CMETHOD a socks5 ${at}`, DONE])).toMatchObject({ methods: ['a 1'], warnings: [] })
  })

  test('is used where that is allowed', () => {
    const lines = [V, 'CMETHOD a socks5 192.0.2.1:1', DONE]
    expect(listen({ ...client, allowRemote: true }, lines)).toMatchObject({ methods: ['a 1'], warnings: [] })
  })
})

describe('what is still missing has a name', () => {
  test.each<[Expected, string[], string]>([
    [client, [], 'VERSION'],
    [client, [V], 'CMETHODS DONE'],
    [proxied, [V], 'PROXY DONE'],
    [proxied, [V, 'PROXY DONE'], 'CMETHODS DONE'],
    [server, [V], 'SMETHODS DONE'],
  ])('%j after %j: %s', (expected, lines, missing) => {
    const dialogue = new Dialogue(expected)
    for (const line of lines) dialogue.hear(line)
    expect(dialogue.missing).toBe(missing)
  })
})

/** Our reading of each vector; `<…>` in an input is a circumstance, not a line. */
const readings: Record<
  string,
  { expected?: Expected; lines?: string[] } & Partial<Omit<Outcome, 'error'>> & { code?: string }
> = {
  'ipc-state-001': { done: false },
  'ipc-state-002': { code: 'PT_PROTOCOL' },
  'ipc-state-005': { code: 'PT_PROTOCOL' },
  'ipc-state-006': { code: 'PT_PROTOCOL' },
  'ipc-state-007': { done: false, warnings: ['PROXY DONE, though there is no upstream proxy'] },
  'ipc-state-008': { expected: proxied, code: 'PT_PROTOCOL' },
  'ipc-state-009': { done: true, methods: [] },
  'ipc-state-010': { done: true, warnings: [] },
  'ipc-state-011': { code: 'PT_ENV' },
  'ipc-state-013': { done: false, warnings: [] },
  'ipc-state-014': { done: true, methods: ['a 1'] },
  'ipc-state-016': { code: 'PT_PROTOCOL' },
  'ipc-state-021': { expected: proxied, code: 'PT_PROTOCOL' },
  'ipc-state-022': { code: 'PT_PROTOCOL' },
  'ipc-state-023': { done: false },
  'ipc-state-026': {
    expected: { ...proxied, transports: ['obfs3', 'obfs4'] },
    done: true,
    methods: ['obfs3 32525', 'obfs4 37347'],
    failures: {},
  },
}

describe('the visible vectors of the state machine, in our reading', () => {
  test.each(vectorsOf('ipc.state'))('$id: $note', (vector) => {
    const reading = readings[vector.id]
    expect(reading, 'every vector has a reading').toBeDefined()
    const { expected = client, code, ...outcome } = reading ?? {}
    // Where the input is an environment, what is said comes under expect.
    const lines = (Array.isArray(vector.input) ? vector.input : (vector.expect as string[])) as string[]
    const heard = listen(
      expected,
      lines.filter((line) => !line.startsWith('<')),
    )
    expect(heard.error?.code).toBe(code)
    expect(heard).toMatchObject(outcome)
  })
})

test('whatever a PT says, the outcome is a state or a PtError, and no method comes without VERSION and PROXY DONE', () => {
  const line = fc.oneof(
    fc.constantFrom(
      V,
      A,
      B,
      DONE,
      'PROXY DONE',
      'SMETHODS DONE',
      'CMETHOD-ERROR b x',
      'LOG SEVERITY=info MESSAGE=x',
      'STATUS a=b',
    ),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.string().map((text) => `CMETHOD ${text}`),
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      const { error, methods } = listen(proxied, lines)
      expect(error?.code ?? 'PT_').toMatch(/^PT_/)
      const before = (text: string): number => lines.indexOf(text)
      if (methods.length > 0) expect(before(V) >= 0 && before(V) < before('PROXY DONE')).toBe(true)
    }),
  )
})
