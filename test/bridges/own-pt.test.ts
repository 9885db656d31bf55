import type { PtEvent } from 'postern'
import { connectBridge, launchClient, ownPt } from 'postern'
import { expect, onTestFinished, test } from 'vitest'
import { echoed, tempDir } from '../support.ts'
import { serveEcho, startBridge } from './bridges.ts'

test('ownPt: the PT of this package, with neither postern nor node in PATH, on both ends', async () => {
  const path = process.env['PATH']
  process.env['PATH'] = '/nonexistent'
  onTestFinished(() => void (process.env['PATH'] = path))
  const line = await startBridge(await serveEcho(), { exec: ownPt() })
  const conn = await connectBridge(line, { exec: ownPt('--log-level', 'info') })
  expect(await echoed(conn, 'hello')).toBe('hello')
})

test('ownPt: in Electron its executable is told to be Node; other programs are not told', async () => {
  const versions = process.versions
  Object.defineProperty(process, 'versions', { value: { ...versions, electron: '33.0.0' } })
  onTestFinished(() => void Object.defineProperty(process, 'versions', { value: versions }))
  const say =
    'for (const name in process.env) console.log("LOG SEVERITY=info MESSAGE=" + name); process.stdout.write("VERSION 1\\nCMETHOD a socks5 127.0.0.1:1\\nCMETHODS DONE\\n"); process.stdin.resume()'
  for (const [exec, told] of [
    [[process.execPath, '-e', say], true],
    [['/bin/sh', '-c', `exec "$0" -e '${say}'`, process.execPath], false],
  ] as const) {
    const names: string[] = []
    const onEvent = (event: PtEvent): void => void (event.type === 'log' && names.push(event.message))
    await using pt = await launchClient({ exec, transports: ['a'], stateDir: tempDir(), onEvent })
    expect(pt.methods.size).toBe(1)
    expect(names.includes('ELECTRON_RUN_AS_NODE')).toBe(told)
  }
})
