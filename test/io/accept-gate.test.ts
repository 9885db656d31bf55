import { once } from 'node:events'
import type { Server } from 'node:net'
import { connect, createServer } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import type { AcceptGate } from '../../src/io/tcp/accept-gate.ts'
import { acceptGate } from '../../src/io/tcp/accept-gate.ts'
import { listen } from '../../src/io/tcp/listen.ts'
import { acceptTcp, listenerOptions } from '../../src/io/tcp/tcp.ts'

interface Gated {
  readonly server: Server
  readonly gate: AcceptGate
  readonly port: number
  /** How many have been accepted. */
  readonly accepted: () => number
  /** Whom it has accepted, and what it said. */
  readonly arrived: () => Promise<string>
}

async function gated(): Promise<Gated> {
  const server = createServer(listenerOptions)
  const { port } = await listen(server, '127.0.0.1', 0)
  const waiting: ((text: string) => void)[] = []
  let accepted = 0
  acceptTcp(server, (conn) => {
    accepted++
    onTestFinished(() => void conn.destroy())
    conn.on('error', () => undefined).once('data', (chunk: Buffer) => waiting.shift()?.(String(chunk)))
  })
  onTestFinished(() => void server.close())
  const gate = acceptGate(server)!
  return {
    server,
    gate,
    port,
    accepted: () => accepted,
    arrived: () => new Promise((resolve) => waiting.push(resolve)),
  }
}

async function client(port: number, text: string): Promise<{ ended: boolean }> {
  const conn = connect(port, '127.0.0.1').on('error', () => undefined)
  onTestFinished(() => void conn.destroy())
  await once(conn, 'connect')
  conn.write(text)
  const state = { ended: false }
  conn.resume().once('close', () => (state.ended = true))
  return state
}

it('a listener whose gate is shut accepts nobody, and whoever came meanwhile when it is open again', async () => {
  const { gate, port, accepted, arrived } = await gated()
  const first = arrived()
  await client(port, 'before')
  expect(await first).toBe('before')
  gate.shut()
  const late = await client(port, 'meanwhile')
  // A connection to another listener makes the whole way while this one waits.
  const other = await gated()
  const passed = other.arrived()
  await client(other.port, 'elsewhere')
  expect(await passed).toBe('elsewhere')
  expect(accepted()).toBe(1)
  const second = arrived()
  gate.open()
  expect(await second).toBe('meanwhile')
  expect(late.ended).toBe(false)
})

it('it may be shut and opened as often as one likes, and more than once', async () => {
  const { gate, port, arrived } = await gated()
  for (let round = 0; round < 50; round++) {
    gate.shut()
    if (round % 2 === 0) gate.shut()
    await client(port, `round ${round}`)
    const next = arrived()
    gate.open()
    if (round % 3 === 0) gate.open()
    expect(await next).toBe(`round ${round}`)
  }
})

it('the kernel keeps 1,000 connections waiting, as for programs in Go', async () => {
  const { gate, port, accepted } = await gated()
  gate.shut()
  const clients = await Promise.all(Array.from({ length: 1_000 }, () => client(port, 'x')))
  expect(accepted()).toBe(0)
  expect(clients.some(({ ended }) => ended)).toBe(false)
  gate.open()
  await expect.poll(accepted).toBe(1_000)
})

it('a listener that is closed while its gate is shut stays closed', async () => {
  const { server, gate, port } = await gated()
  gate.shut()
  server.close()
  gate.open()
  gate.shut()
  const [error] = (await once(connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException]
  expect(error.code).toBe('ECONNREFUSED')
})

it('a listener that does not listen has no gate', () => {
  expect(acceptGate(createServer())).toBeUndefined()
})
