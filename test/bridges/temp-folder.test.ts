/** A client of obfs4 needs no disk, and what needs one leaves nothing on it. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openBridge } from '../../src/index.ts'
import { root, tempDir } from '../support.ts'

const postern = JSON.stringify(`file://${root}dist/index.js`)
const lines = {
  obfs4: `obfs4 127.0.0.1:1 cert=${'A'.repeat(70)} iat-mode=0`,
  obfs3: 'obfs3 127.0.0.1:1',
  scramblesuit: 'scramblesuit 127.0.0.1:1 password=UCQ2FI5EUWTKPKFJVKV2ZLNOV6YLDMVT',
}

/** Runs a program that opens a bridge of `line` with the options in `options`, and then `rest`; with `tmp` as temporary directory. */
function run(
  line: string,
  rest: string,
  tmp: string,
  { options = '{}', flags = [] }: { options?: string; flags?: readonly string[] } = {},
): { status: number | null; stdout: string; stderr: string } {
  const source = `import { readdirSync } from 'node:fs'
    import * as postern from ${postern}
    const bridge = await postern.openBridge(${JSON.stringify(line)}, ${options})
    ${rest}`
  return spawnSync(process.execPath, [...flags, '--input-type=module', '-e', source], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], TMPDIR: tmp },
  })
}

const made = `console.log(readdirSync(process.env.TMPDIR).length)`
const exec = JSON.stringify({ exec: [process.execPath, `${root}dist/cli/main.js`, 'pt'] })

describe('the temporary folder', () => {
  test.each(['obfs4', 'obfs3'] as const)('of %s in this process is not made, and need not be possible', (name) => {
    const dial = `console.log(await bridge.connect().catch((error) => error.stage)); await bridge.close()`
    expect(run(lines[name], dial, '/nonexistent')).toMatchObject({ status: 0, stdout: 'connect\n', stderr: '' })
  })

  test('of a transport that keeps something is made, and gone when the bridge is closed', () => {
    const tmp = tempDir()
    expect(run(lines.scramblesuit, `${made}; await bridge.close(); ${made}`, tmp).stdout).toBe('1\n0\n')
  })

  test.each([
    ['exits', 'process.exit(3)', 3],
    ['throws', 'throw new Error("of the application")', 1],
    ['has an exception that nobody catches', 'setImmediate(() => { throw new Error("of the application") })', 1],
    ['ends of itself with the bridge open', '', 0],
  ])('is gone when the process %s', (_, end, status) => {
    const tmp = tempDir()
    for (const options of ['{}', exec]) {
      if (options === exec && status === 0) continue // its PT keeps the process alive
      const ended = run(lines.scramblesuit, `${made}; ${end}`, tmp, { options })
      expect(ended).toMatchObject({ status, stdout: '1\n' })
      expect(readdirSync(tmp)).toEqual([])
    }
  })

  test('of a process that was killed is removed by the next one, and that of a living one stays', () => {
    const tmp = tempDir()
    const others = [`postern-${process.pid}-abcdef`, 'postern-abcdef', 'other-1-abcdef']
    for (const name of others) mkdirSync(join(tmp, name))
    expect(run(lines.scramblesuit, `process.kill(process.pid, 'SIGKILL')`, tmp).status).toBeNull()
    expect(readdirSync(tmp)).toHaveLength(others.length + 1)
    run(lines.scramblesuit, 'await bridge.close()', tmp)
    expect(readdirSync(tmp).toSorted()).toEqual(others.toSorted())
  })

  test('PT_STATE: one that cannot be made is an error that says which option helps', () => {
    for (const options of ['{}', exec]) {
      const { stderr } = run(lines.scramblesuit, '', '/nonexistent', { options })
      expect(stderr).toContain("code: 'PT_STATE'")
      expect(stderr).toContain('the option stateDir names one')
    }
  })

  test('one listener is enough for many bridges, and none is left', async () => {
    const before = process.listenerCount('exit')
    const bridges = await Promise.all(Array.from({ length: 20 }, () => openBridge(lines.scramblesuit)))
    expect(process.listenerCount('exit')).toBe(before + 1)
    await Promise.all(bridges.map((bridge) => bridge.close()))
    expect(process.listenerCount('exit')).toBe(before)
  })

  test('of obfs4 is not asked for by a process that may not write', () => {
    const name = ['--permission', '--experimental-permission'].find((flag) =>
      process.allowedNodeEnvironmentFlags.has(flag),
    )
    const flags = [
      name!,
      '--allow-fs-read=*',
      ...(process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : []),
    ]
    const dial = `console.log(await bridge.connect().catch((error) => error.stage)); await bridge.close()`
    expect(run(lines.obfs4, dial, '/tmp', { flags })).toMatchObject({ status: 0, stdout: 'connect\n' })
  })
})
