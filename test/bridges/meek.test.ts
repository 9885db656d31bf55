import { readExactly } from 'postern/io'
import { expect, onTestFinished, test } from 'vitest'
import { openBridge } from '../../src/index.ts'
import { failureOf } from '../support.ts'
import { ok, scriptedFront } from '../transports/meek/scripted-front.ts'

/** A line as it is handed out, with a url on loopback. */
const line = (port: number, name = 'meek_lite'): string =>
  `${name} 192.0.2.20:80 url=http://127.0.0.1:${port}/secret utls=none`

test.each(['meek_lite', 'meek'])(
  'openBridge takes a line of %s, and its connections are sockets for the application',
  async (name) => {
    const front = await scriptedFront(({ body }) => ok(body))
    await using bridge = await openBridge(line(front.port, name))
    const socket = await bridge.connect()
    onTestFinished(() => void socket.destroy())
    socket.write('hello')
    expect(String(await readExactly(socket, 5))).toBe('hello')
  },
)

test('a front that does not know the path is told by its stage, and nothing of the line is repeated', async () => {
  const front = await scriptedFront(() => 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
  await using bridge = await openBridge(line(front.port))
  const error = await failureOf(bridge.connect())
  expect(error).toMatchObject({ code: 'PT_HANDSHAKE', stage: 'path' })
  expect(`${error.message} ${error.reported}`).toContain('404')
  expect(`${error.message} ${error.reported}`).not.toMatch(/127\.0|192\.0|secret/)
})
