/** The examples of docs/api/extor.md. */
import { connect } from 'node:net'
import { join } from 'node:path'
import { readExactly } from 'postern/io'
import { connectExtOrPort, encodeFrame, serveExtOrPort } from 'postern/extor'
import { expect, onTestFinished, test } from 'vitest'
import { tempDir } from '../../support.ts'

test('serveExtOrPort and connectExtOrPort', async () => {
  const cookieFile = join(tempDir(), 'cookie')
  // example: serveExtOrPort
  const server = await serveExtOrPort({
    cookieFile,
    onConnection: ({ conn, transport, userAddr }) => conn.end(`hello, ${transport} from ${userAddr?.host}`),
  })
  // end
  onTestFinished(() => server.close())
  const { host, port } = server.address
  // example: connectExtOrPort
  const conn = connect(port, host)
  await connectExtOrPort(conn, { cookieFile, transport: 'obfs4', userAddr: '198.51.100.7:5678' })
  // end
  expect(String(await readExactly(conn, 30))).toBe('hello, obfs4 from 198.51.100.7')
  conn.destroy()
})

test('encodeFrame', () => {
  // example: encodeFrame
  expect(encodeFrame(2, 'alpha').toString('hex')).toBe('00020005616c706861')
  // end
})
