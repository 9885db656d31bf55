import fc from 'fast-check'
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import { Args } from 'postern/ipc'
import { readExactly } from 'postern/io'
import { transportCases } from 'postern/testing'
import type { Report } from 'postern/transport'
import { describe, expect, test } from 'vitest'
import { automata } from '../../examples/automata.ts'
import { clientOptions, serverOptions } from '../launch-options.ts'

describe('automata', () => {
  const options = {
    serverOptions: { rule: '30', depth: '2' },
    badServerOptions: [{ rule: '256' }, { depth: '0' }, { rule: '' }],
    badClientArgs: [{}, { rule: '30' }, { rule: '30', depth: 'deep' }],
  }
  for (const { name, run } of transportCases(automata, { ...options, patience: 20_000 })) test(name, run)
})

const report: Report = { log: () => {}, status: () => {} }
const signal = new AbortController().signal

/** The bytes that the client sends for so many zeros. */
async function keystream(rule: number, depth: number, length: number): Promise<Buffer> {
  const [near, far] = duplexPair()
  const client = await automata.client(clientOptions({ stateDir: '/nowhere' }))
  const args = Args.from({ rule: String(rule), depth: String(depth) })
  const connect = async (): Promise<Duplex> => near
  const stream = await client.dial({ target: '192.0.2.1:1', args, connect, signal, ...report })
  stream.write(Buffer.alloc(length))
  return await readExactly(far, length)
}

test.each([
  // A single cell under rule 204 stays, under 170 moves left, under 240 right; under 90 it has two children.
  [204, 1, '80000000'],
  [240, 1, '40000000'],
  [240, 9, '00400000'],
  [90, 1, '40000000'],
  [90, 2, '20000000'],
  [0, 1, '00000000'],
  [255, 1, 'ffffffff'],
  // Rule 110 grows to the left, around the ring, so that little is seen at the first cells.
  [110, 3, '80000000'],
])('the automaton of rule %d begins, after %d steps, with the cells %s', async (rule, depth, cells) => {
  expect((await keystream(rule, depth, 4)).toString('hex')).toBe(cells)
})

/** Cell by cell, as the definition has it. */
function slowKeystream(rule: number, depth: number, rows: number): Buffer {
  let cells: number[] = Array.from({ length: 256 }, (_, at) => (at === 0 ? 1 : 0))
  const keystream: number[] = []
  for (let generation = 1; generation <= depth * rows; generation++) {
    cells = cells.map((own, at) => (rule >> (4 * cells.at(at - 1)! + 2 * own + cells[(at + 1) % 256]!)) & 1)
    if (generation % depth > 0) continue
    for (let at = 0; at < 256; at += 8) keystream.push(parseInt(cells.slice(at, at + 8).join(''), 2))
  }
  return Buffer.from(keystream)
}

test('the keystream is that of the definition, for any rule and depth', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 1, max: 16 }), async (rule, depth) => {
      expect(await keystream(rule, depth, 96)).toEqual(slowKeystream(rule, depth, 3))
    }),
  )
})

test('SENV-3: without options the server is the one of the draft', async () => {
  const server = await automata.server(serverOptions({ stateDir: '/nowhere', args: Args.none }))
  expect([...Args.from(server.args!)]).toEqual([
    ['rule', '110'],
    ['depth', '3'],
  ])
})
