/** SIGUSR1 makes Node listen for a debugger. No process of ours that holds a key or a line does so. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { freePort, root, tempDir } from '../support.ts'
import { ready, start } from './postern.ts'

const main = `${root}dist/cli/main.js`

/** How many TCP sockets of this process listen. */
function listeners(pid: number): number {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? []
      } catch {
        return []
      }
    }),
  )
  const LISTEN = '0A'
  return ['tcp', 'tcp6']
    .flatMap((table) => readFileSync(`/proc/${pid}/net/${table}`, 'utf8').trim().split('\n').slice(1))
    .map((row) => row.trim().split(/\s+/))
    .filter((columns) => columns[3] === LISTEN && own.has(columns[9]!)).length
}

/** True once the process has looked at its signals: a connection that is made after the signal has been answered. */
async function isServing(port: number): Promise<boolean> {
  const conn = connect(port, '127.0.0.1')
  await once(conn, 'connect')
  conn.destroy()
  return true
}

describe.skipIf(process.platform !== 'linux')('SIGUSR1 opens no debugger', () => {
  test.each([
    ['in client, server and run', 1, []],
    ['nor in the PTs that they start with --isolate', 2, ['--isolate']],
  ])('%s', async (_, processes, flags) => {
    const line = 'obfs3 127.0.0.1:1'
    const file = join(tempDir(), 'tunnels.toml')
    const [a, b] = [await freePort(), await freePort()]
    writeFileSync(file, `[client.a]\nlisten = "127.0.0.1:${a}"\nbridges = ["${line}"]\nisolate = ${processes === 2}\n`)
    const running = [start('client', `--listen=127.0.0.1:${b}`, line, ...flags), start('run', file)]
    const state = `--state-dir=${tempDir()}`
    const server = start('server', 'obfs4', '--listen=127.0.0.1:0', '--forward=127.0.0.1:1', state, ...flags)
    await Promise.all([ready(running[0]!, 'client'), ready(running[1]!, 'a')])
    const bridgePort = Number(/:(\d+)/.exec((await ready(server, 'server')).bridgeLine)![1])
    const all = [
      [running[0]!, b],
      [running[1]!, a],
      [server, bridgePort],
    ] as const
    for (const [one, port] of all) {
      const pids = [one.pid, ...one.events.flatMap(({ pid }) => (typeof pid === 'number' ? [pid] : []))]
      expect(pids).toHaveLength(processes)
      // The port of the tunnel or its ExtORPort, and that of its PT; a rehearsal of the PT may still have one of its own.
      const listening = (): number[] => pids.map(listeners)
      const expected = pids.map(() => 1)
      await expect.poll(listening).toEqual(expected)
      for (const pid of pids) for (let at = 0; at < 5; at++) process.kill(pid, 'SIGUSR1')
      for (let at = 0; at < 5; at++) expect(await isServing(port)).toBe(true)
      await expect.poll(listening).toEqual(expected)
      const { status, stderr } = await one.stop()
      expect([status, stderr]).toEqual([0, ''])
    }
  })

  test('in a PT from its first line on', async () => {
    const pt = spawn(process.execPath, [main, 'pt'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        TOR_PT_MANAGED_TRANSPORT_VER: '1',
        TOR_PT_CLIENT_TRANSPORTS: 'obfs4',
        TOR_PT_STATE_LOCATION: tempDir(),
        TOR_PT_EXIT_ON_STDIN_CLOSE: '1',
      },
    })
    onTestFinished(() => void pt.kill('SIGKILL'))
    let stderr = ''
    pt.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    let stdout = ''
    for await (const chunk of pt.stdout) {
      stdout += String(chunk)
      pt.kill('SIGUSR1')
      if (stdout.includes('CMETHODS DONE')) break
    }
    await expect.poll(() => listeners(pt.pid!)).toBe(1)
    pt.stdin.end()
    const [status] = (await once(pt, 'exit')) as [number]
    expect([status, stderr]).toEqual([0, ''])
  })
})
