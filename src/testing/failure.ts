/** Cases: peers that vanish, talk nonsense or say nothing; connections that fail; a parent that gives up. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import type { Transport } from '../transport.ts'
import type { Cases, TransportCase } from './case.ts'
import type { Lab } from './lab.ts'
import { openLab } from './lab.ts'
import type { Settings } from './settings.ts'
import { exchange, gone, outcome, soon, until, within } from './wait.ts'

/** How long a peer is given to do what it may do or leave. */
const MAY_MS = 150
const GARBAGE_SIZES = [1, 16, 300, 8192, 70_000]
const ECHO_WINDOW = 16

/** How many bytes each side hears until both have the connection and a byte each way. */
async function measureHandshake(transport: Transport, settings: Settings): Promise<{ client: number; server: number }> {
  await using lab = await openLab(transport, settings)
  const { near, far } = await lab.open()
  await within(settings.patience, '1 byte went each way', exchange(near, far, 1, false))
  return { client: lab.clientWires[0]!.received, server: lab.serverWires[0]!.received }
}

/** dial() has rejected and closed its connection, or given a stream, which then ends. */
async function expectNoClient(lab: Lab, dialed: Promise<Duplex>): Promise<void> {
  const { patience } = lab.settings
  const settled = await within(patience, 'dial() has settled', outcome(dialed))
  const rejected = 'error' in settled
  if (!rejected) {
    settled.value.write('who hears this?')
    await gone(patience, "the client's stream ends when the server has gone", settled.value)
    settled.value.destroy()
  }
  const closed = (): boolean => lab.clientWires.every((wire) => wire.destroyed)
  await until(patience, `the client's connection is closed${rejected ? ', as dial() has rejected' : ''}`, closed)
}

/** The same for accept(), which may hold a failed handshake open until its PT shuts down, or come to nothing. */
async function expectNoServer(lab: Lab, accepted: Promise<Duplex>): Promise<void> {
  const { patience } = lab.settings
  const early = await soon(MAY_MS, accepted)
  if (early === undefined) lab.shutdown.abort(new Error('the PT shuts down'))
  await until(patience, 'accept() has settled after the abort of its signal', () => lab.accepting === 0)
  const settled = await soon(0, accepted)
  if (settled === undefined || !('value' in settled)) return
  await gone(patience, "the server's stream ends when the client has gone", settled.value)
}

function vanishCase(
  transport: Transport,
  settings: Settings,
  who: 'client' | 'server',
  by: 'end' | 'reset',
): TransportCase {
  return {
    name: `a ${who} that vanishes in its handshake (${by === 'end' ? 'FIN' : 'RST'}) is a failure or an end, and no hang`,
    run: async () => {
      const heard = await measureHandshake(transport, settings)
      const length = who === 'server' ? heard.client : heard.server
      for (const after of new Set([0, 1, length >> 1, length - 1])) {
        const cut = { cut: { after, by } }
        await using lab = await openLab(transport, settings, who === 'server' ? { client: cut } : { server: cut })
        const far = lab.next()
        const near = lab.dial()
        for (const stream of [near, far]) stream.then((stream) => stream.write('hello')).catch(() => {})
        await soon(MAY_MS, who === 'server' ? near : far)
        // Handshakes differ in length; if this one was shorter, the peer vanishes after it.
        for (const wire of who === 'server' ? lab.clientWires : lab.serverWires) wire.vanish(by)
        await (who === 'server' ? expectNoClient(lab, near) : expectNoServer(lab, far))
      }
    },
  }
}

/** If sessions outlive their connections, a peer that vanishes is a matter of time: sessions.ts tries that. */
const vanishCases: Cases = (transport, settings) =>
  settings.outlivesConnections ? [] : allVanishCases(transport, settings)

const allVanishCases: Cases = (transport, settings) => [
  ...(['end', 'reset'] as const).flatMap((by) => [
    vanishCase(transport, settings, 'server', by),
    vanishCase(transport, settings, 'client', by),
  ]),
  ...(['client', 'server'] as const).map((who) => ({
    name: `a ${who} that vanishes in mid-stream ends the stream of the other`,
    run: async () => {
      await using lab = await openLab(transport, settings)
      const { near, far } = await lab.open()
      await within(settings.patience, '100 bytes went each way', exchange(near, far, 100, false))
      const [wire, other] = who === 'client' ? [lab.clientWires[0]!, await far] : [lab.serverWires[0]!, near]
      wire.reset()
      await gone(settings.patience, 'the stream ends', other)
      other.destroy()
      near.destroy()
      await lab.expectClosed()
    },
  })),
]

const connectCases: Cases = (transport, settings) => [
  {
    name: 'dial() rejects with the error of connect(), or with one that has it as its cause',
    run: async () => {
      await using lab = await openLab(transport, settings)
      const refused = new PtError('PT_CONNECT', 'connection refused', { stage: 'connect' })
      const dialed = outcome(lab.dial({ connect: () => Promise.reject(refused) }))
      const { error } = await within(settings.patience, 'dial() has rejected', dialed)
      let cause = error
      while (cause instanceof Error && cause !== refused) cause = cause.cause
      assert.equal(cause, refused, `the parent cannot see why: ${String(error)}`)
    },
  },
  {
    name: 'an abort while it connects ends dial()',
    run: async () => {
      await using lab = await openLab(transport, settings)
      const hangUp = new AbortController()
      const connecting = new AbortController()
      const dialed = lab.dial({
        signal: hangUp.signal,
        connect: (_, signal) => {
          connecting.abort()
          return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        },
      })
      dialed.catch(() => {})
      if (!connecting.signal.aborted) {
        await within(settings.patience, 'connect() is called', once(connecting.signal, 'abort'))
      }
      hangUp.abort(new Error('the parent hung up'))
      const { error } = await within(settings.patience, 'dial() has rejected', outcome(dialed))
      assert.ok(error instanceof Error, 'dial() has resolved without a connection')
    },
  },
  {
    name: 'an abort in its handshake ends dial() and its connection',
    run: async () => {
      await using lab = await openLab(transport, settings)
      const silent = await lab.listen((socket) => void socket.resume())
      const hangUp = new AbortController()
      const dialed = lab.dial({ target: silent, signal: hangUp.signal })
      // A transport without an answer to wait for has its connection by now, and from here on it is the PT's to close.
      const early = await soon(MAY_MS, dialed)
      hangUp.abort(new Error('the parent hung up'))
      if (early !== undefined && 'value' in early) return
      const { error } = await within(settings.patience, 'dial() has rejected', outcome(dialed))
      assert.ok(error instanceof Error, 'dial() has resolved after the abort')
      const closed = (): boolean => lab.clientWires.every((wire) => wire.destroyed)
      await until(settings.patience, 'the connection is closed', closed)
    },
  },
  {
    name: 'a signal that is aborted already has dial() reject, and leaves no connection',
    run: async () => {
      await using lab = await openLab(transport, settings)
      const signal = AbortSignal.abort(new Error('the parent hung up'))
      const dialed = lab.dial({
        signal,
        connect: async (target, signal) => {
          signal.throwIfAborted()
          return await lab.connect(target, signal)
        },
      })
      const { error } = await within(settings.patience, 'dial() has settled', outcome(dialed))
      assert.ok(error instanceof Error, 'dial() has resolved')
      assert.ok(
        lab.clientWires.every((wire) => wire.destroyed),
        'the connection is open',
      )
    },
  },
  {
    name: 'a shut-down in the handshake of a silent client ends accept()',
    run: async () => {
      await using lab = await openLab(transport, settings)
      const accepted = lab.next()
      const silent = lab.raw()
      await once(silent, 'connect')
      await until(settings.patience, 'the server accepts', () => lab.serverWires.length > 0)
      const early = await soon(MAY_MS, accepted)
      lab.shutdown.abort(new Error('the PT shuts down'))
      if (early === undefined) await until(settings.patience, 'accept() has settled', () => lab.accepting === 0)
    },
  },
]

const garbageCases: Cases = (transport, settings) => [
  {
    name: settings.silentToProbes
      ? 'its server answers garbage with silence'
      : 'its server survives garbage, and never echoes it',
    run: async () => {
      for (const size of GARBAGE_SIZES) {
        await using lab = await openLab(transport, settings)
        const garbage = randomBytes(size)
        const probe = lab.raw()
        const answer: Buffer[] = []
        probe.on('data', (chunk: Buffer) => void answer.push(chunk))
        probe.write(garbage)
        await soon(MAY_MS, once(probe, 'close'))
        probe.end()
        await expectNoServer(lab, lab.next())
        const heard = Buffer.concat(answer)
        if (settings.silentToProbes) assert.equal(heard.length, 0, `it answered ${size} bytes of garbage`)
        expectNoEcho(garbage, heard)
      }
    },
  },
  {
    name: 'its client survives a server that talks garbage, and never echoes it',
    run: async () => {
      for (const size of GARBAGE_SIZES) {
        await using lab = await openLab(transport, settings)
        const garbage = randomBytes(size)
        const answer: Buffer[] = []
        const target = await lab.listen((socket) => {
          socket.on('data', (chunk: Buffer) => void answer.push(chunk)).end(garbage)
        })
        await expectNoClient(lab, lab.dial({ target }))
        expectNoEcho(garbage, Buffer.concat(answer))
      }
    },
  },
]

function expectNoEcho(garbage: Buffer, heard: Buffer): void {
  for (let at = 0; at + ECHO_WINDOW <= garbage.length; at += ECHO_WINDOW) {
    assert.ok(!heard.includes(garbage.subarray(at, at + ECHO_WINDOW)), 'it echoed bytes of the garbage')
  }
}

export const failureCases: Cases = (transport, settings) => [
  ...vanishCases(transport, settings),
  ...connectCases(transport, settings),
  ...garbageCases(transport, settings),
]
