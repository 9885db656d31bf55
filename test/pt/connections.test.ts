import { duplexPair } from 'node:stream'
import { expect, test } from 'vitest'
import { createConnections } from '../../src/pt/connections.ts'

test('connections are counted from admission to their close, by how their handshake ended', async () => {
  const connections = createConnections()
  const [[a], [b]] = [duplexPair(), duplexPair()]
  connections.admit(a)!.established()
  connections.admit(b)
  expect(connections.count).toEqual({ open: 2, handshakes: 1, admitted: 2, established: 1, failed: 0, refused: 0 })
  a.destroy()
  b.destroy()
  await connections.drain(10_000)
  expect(connections.count).toEqual({ open: 0, handshakes: 0, admitted: 2, established: 1, failed: 1, refused: 0 })
})

test('a limit on handshakes does not count those that are over; what is above is destroyed', () => {
  const connections = createConnections({ maxHandshakes: 1 })
  const [[a], [b], [c]] = [duplexPair(), duplexPair(), duplexPair()]
  const admission = connections.admit(a)
  expect(connections.admit(b)).toBeUndefined()
  expect(b.destroyed).toBe(true)
  admission!.established()
  expect(connections.admit(c)).toBeDefined()
  expect(connections.count).toMatchObject({ open: 2, handshakes: 1, refused: 1 })
})

test('a limit on connections counts all of them', () => {
  const connections = createConnections({ maxConnections: 1 })
  const [[a], [b]] = [duplexPair(), duplexPair()]
  connections.admit(a)!.established()
  expect(connections.admit(b)).toBeUndefined()
})

test('STOP-3: draining waits for connections to finish, admits no more, and cuts those left when its time is over', async () => {
  const connections = createConnections()
  const [[finishing], [stuck], [late]] = [duplexPair(), duplexPair(), duplexPair()]
  connections.admit(finishing)!.established()
  connections.admit(stuck)!.established()
  const drained = connections.drain(100)
  expect(connections.admit(late)).toBeUndefined()
  finishing.destroy()
  expect(stuck.destroyed).toBe(false)
  await drained
  expect(stuck.destroyed).toBe(true)
  expect(connections.count.open).toBe(0)
})
