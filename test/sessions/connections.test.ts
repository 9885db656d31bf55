import { duplexPair } from 'node:stream'
import { expect, test } from 'vitest'
import { createConnections } from '../../src/sessions/connections.ts'

test('connections are counted from admission to their close, by how their handshake ended', async () => {
  const connections = createConnections()
  const [[a], [b]] = [duplexPair(), duplexPair()]
  connections.admit(a).established()
  connections.admit(b)
  expect(connections.count).toEqual({ open: 2, handshakes: 1, admitted: 2, established: 1, failed: 0, unserved: 0 })
  a.destroy()
  b.destroy()
  await connections.drain(10_000)
  expect(connections.count).toEqual({ open: 0, handshakes: 0, admitted: 2, established: 1, failed: 1, unserved: 0 })
})

test('where a connection came in is told of its handshake and its end, each once', async () => {
  const connections = createConnections()
  const told: string[] = []
  const entrance = { began: () => told.push('began'), over: () => told.push('over'), closed: () => told.push('closed') }
  const [[established], [failed]] = [duplexPair(), duplexPair()]
  const admission = connections.admit(established, entrance)
  admission.established()
  admission.established()
  established.destroy()
  await connections.drain(10_000)
  expect(told.splice(0)).toEqual(['began', 'over', 'closed'])
  connections.admit(failed, entrance)
  failed.destroy()
  await connections.drain(10_000)
  expect(told).toEqual(['began', 'over', 'closed'])
})

test('STOP-3: draining waits for connections to finish, and cuts those left when its time is over', async () => {
  const connections = createConnections()
  const [[finishing], [stuck]] = [duplexPair(), duplexPair()]
  connections.admit(finishing).established()
  connections.admit(stuck).established()
  const drained = connections.drain(100)
  finishing.destroy()
  expect(stuck.destroyed).toBe(false)
  await drained
  expect(stuck.destroyed).toBe(true)
  expect(connections.count.open).toBe(0)
})
