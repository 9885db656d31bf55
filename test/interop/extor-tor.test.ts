/** Our side of the Extended ORPort against tor's own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'vitest'
import { expect, onTestFinished, test } from 'vitest'
import { connectExtOrPort, encodeFrame, formatCookie, readCookieFile } from 'postern/extor'
import { readExactly } from 'postern/io'
import { playPt } from '../extor/peer.ts'
import { peer, tempDir } from '../support.ts'

/** A bridge that no authority knows and that asks none: it opens its ports and waits. */
async function startBridge(context: TestContext) {
  const tor = peer('tor', context)
  const dataDirectory = join(tempDir(), 'data')
  const torrc = join(tempDir(), 'torrc')
  const nobody = '0'.repeat(40)
  const settings = [
    `DataDirectory ${dataDirectory}`,
    `DirAuthority nobody orport=1 v3ident=${nobody} 127.0.0.1:1 ${nobody}`,
    'ORPort 127.0.0.1:auto',
    'ExtORPort 127.0.0.1:auto',
    'BridgeRelay 1',
    'AssumeReachable 1',
    'PublishServerDescriptor 0',
    'SocksPort 0',
    'Log notice stdout',
  ]
  writeFileSync(torrc, settings.join('\n'))
  const child = spawn(tor, ['-f', torrc, '--defaults-torrc', '/dev/null'], { stdio: ['ignore', 'pipe', 'ignore'] })
  onTestFinished(async () => {
    if (child.exitCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  let port: number | undefined
  for await (const line of createInterface(child.stdout)) {
    const opened = /Opened Extended OR listener connection \(ready\) on 127\.0\.0\.1:(\d+)/.exec(line)
    if (opened !== null) port = Number(opened[1])
    // The cookie is written behind the opening of the port, and before this.
    if (port === undefined || !line.includes('Bootstrapped 0%')) continue
    return { port, cookieFile: join(dataDirectory, 'extended_orport_auth_cookie') }
  }
  throw new Error('tor opened no Extended ORPort')
}

function dial(port: number) {
  const conn = connect({ host: '127.0.0.1', port, noDelay: true })
  onTestFinished(() => void conn.destroy())
  return conn
}

test(
  'SENV-11, EXT-1, EXT-2: tor takes our authentication and introduction and says OKAY',
  { timeout: 180_000 },
  async (context) => {
    const { port, cookieFile } = await startBridge(context)
    expect(formatCookie(await readCookieFile(cookieFile))).toEqual(readFileSync(cookieFile))
    const conn = dial(port)
    await connectExtOrPort(conn, { cookieFile, transport: 'rot_by_N', userAddr: '[2001:db8::7]:5678' })
    expect(conn.destroyed).toBe(false)
    await connectExtOrPort(dial(port), { cookieFile, transport: 'rot_by_N', userAddr: '198.51.100.7:5678' })

    // As our server does, tor skips commands that it does not know, and closes on a transport that is no identifier.
    const cookie = await readCookieFile(cookieFile)
    const patient = dial(port)
    await playPt(patient, { cookie, introduction: Buffer.concat([encodeFrame(0x7777, 'x'), encodeFrame(0)]) })
    expect(await readExactly(patient, 4)).toEqual(encodeFrame(0x1000))
    const strict = dial(port)
    await playPt(strict, { cookie, introduction: Buffer.concat([encodeFrame(2, 'rf+1149'), encodeFrame(0)]) })
    await expect(readExactly(strict, 4)).rejects.toMatchObject({ code: expect.stringMatching(/PT_CLOSED|ECONNRESET/) })

    const wrong = join(tempDir(), 'cookie')
    writeFileSync(wrong, formatCookie(Buffer.alloc(32)))
    await expect(connectExtOrPort(dial(port), { cookieFile: wrong })).rejects.toMatchObject({ code: 'PT_EXTOR_AUTH' })
  },
)
