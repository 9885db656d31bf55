import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { listen } from '../../src/io/tcp/listen.ts'

function testServer(): ReturnType<typeof createServer> {
  const server = createServer((socket) => socket.end('hello'))
  onTestFinished(() => void server.close())
  return server
}

it.each(['127.0.0.1', '::1'])('resolves once %s really accepts, with the port that the system chose', async (host) => {
  const bound = await listen(testServer(), host, 0)
  expect(bound.host).toBe(host)
  expect(bound.port).toBeGreaterThan(0)
  const socket = connect(bound)
  const [greeting] = (await once(socket, 'data')) as [Buffer]
  expect(String(greeting)).toBe('hello')
  socket.destroy()
})

it('rejects with the error of the system where the port is taken', async () => {
  const { port } = await listen(testServer(), '127.0.0.1', 0)
  await expect(listen(testServer(), '127.0.0.1', port)).rejects.toMatchObject({ code: 'EADDRINUSE' })
})

it('rejects with the error of the system where the address is not of this machine', async () => {
  await expect(listen(testServer(), '192.0.2.1', 0)).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' })
})
