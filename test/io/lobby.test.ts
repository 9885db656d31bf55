import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import { expect, it } from 'vitest'
import { Lobby } from '../../src/io/tcp/lobby.ts'

function streams(count: number): Duplex[] {
  return Array.from({ length: count }, () => duplexPair()[0])
}

function states(conns: readonly Duplex[]): string {
  return conns.map(({ destroyed }) => (destroyed ? 'x' : '-')).join('')
}

it('the newcomer is taken and the oldest makes room', () => {
  let ended = 0
  const lobby = new Lobby({ limit: 3, grace: 0, onEnded: () => ended++ })
  const conns = streams(5)
  for (const conn of conns) lobby.enter(conn, '127.0.0.1')
  expect(states(conns)).toBe('xx---')
  expect([lobby.size, ended]).toEqual([3, 2])
})

it('it is the oldest of the source that has the most', () => {
  const lobby = new Lobby({ limit: 4, grace: 0 })
  const [alone, ...many] = streams(6)
  lobby.enter(alone!, '127.0.0.2')
  for (const conn of many) lobby.enter(conn, '127.0.0.1')
  expect(alone!.destroyed).toBe(false)
  expect(states(many)).toBe('xx---')
})

it('whoever has left is never ended, and neither counts nor whoever has closed', async () => {
  const lobby = new Lobby({ limit: 2, grace: 0 })
  const [spoke, closed, a, b, c] = streams(5) as [Duplex, Duplex, Duplex, Duplex, Duplex]
  const guest = lobby.enter(spoke)
  guest.leave()
  guest.leave()
  lobby.enter(closed)
  closed.destroy()
  await once(closed, 'close')
  expect(lobby.size).toBe(0)
  for (const conn of [a, b, c]) lobby.enter(conn)
  expect(states([spoke, a, b, c])).toBe('-x--')
})

it('says whether there was anybody to make room', () => {
  const lobby = new Lobby({ limit: 2, grace: 0 })
  expect(lobby.makeRoom()).toBe(false)
  const [conn] = streams(1)
  lobby.enter(conn!)
  expect(lobby.makeRoom()).toBe(true)
  expect(conn!.destroyed).toBe(true)
})

it('whoever came a moment ago is not ended, however many there are', () => {
  const lobby = new Lobby({ limit: 2 })
  const conns = streams(100)
  for (const conn of conns) lobby.enter(conn)
  expect(lobby.makeRoom()).toBe(false)
  expect(lobby.size).toBe(100)
  expect(conns.some(({ destroyed }) => destroyed)).toBe(false)
})
