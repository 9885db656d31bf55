import { spawnSync } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { LineOutput } from '../../src/pt/line-output.ts'
import { openLineOutput } from '../../src/pt/line-output.ts'
import { settle } from '../io/streams.ts'
import { tempDir } from '../support.ts'

interface Pipe {
  readonly output: LineOutput
  readonly reader: number
  readonly read: () => string
}

/** A real pipe: an output at one end, and what has arrived at the other. */
function pipe(): Pipe {
  const path = join(tempDir(), 'pipe')
  spawnSync('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const output = openLineOutput(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK), (count) => `${count} gone\n`)
  const buffer = Buffer.alloc(1 << 20)
  const read = (): string => {
    try {
      return buffer.toString('utf8', 0, readSync(reader, buffer))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return ''
      throw error
    }
  }
  onTestFinished(() => output.close(0))
  return { output, reader, read }
}

test('LINE-1: before the release a line has been written when write() returns', () => {
  const { output, read } = pipe()
  output.write('VERSION 1\n')
  expect(read()).toBe('VERSION 1\n')
})

test('LINE-1: lines keep their order over the release', async () => {
  const { output, read } = pipe()
  output.write('CMETHODS DONE\n')
  output.release()
  output.write('LOG 1\n')
  output.write('LOG 2\n')
  await output.close(1_000)
  expect(read()).toBe('CMETHODS DONE\nLOG 1\nLOG 2\n')
})

test('a parent that does not read costs bounded memory and no time; later it hears how much it missed', async () => {
  const { output, read } = pipe()
  output.release()
  const line = `LOG ${'x'.repeat(995)}\n`
  const started = Date.now()
  for (let i = 0; i < 10_000; i++) output.write(line)
  // One line that waited would have taken 5 s.
  expect(Date.now() - started).toBeLessThan(4_000)
  let text = ''
  await expect.poll(() => (text += read()), { interval: 5 }).toContain('gone')
  const lines = text.trimEnd().split('\n')
  const dropped = Number.parseInt(lines.pop()!, 10)
  expect(lines.length + dropped).toBe(10_000)
  // What a pipe holds, and the queue of 64 KiB.
  expect(lines.length).toBeLessThan(200)
  expect(lines.every((one) => `${one}\n` === line)).toBe(true)
})

test('a parent that has closed its end is written to no more, and nothing is thrown', async () => {
  const { output, reader } = pipe()
  closeSync(reader)
  output.write('VERSION 1\n')
  output.release()
  output.write('LOG 1\n')
  await output.close(1_000)
})

test('a parent that closes its end after the release is written to no more, and nothing is thrown', async () => {
  const { output, reader } = pipe()
  output.release()
  closeSync(reader)
  for (let i = 0; i < 10; i++) {
    output.write('LOG 1\n')
    await settle()
  }
  await output.close(1_000)
})

test('a file is written at once, before and after the release', async () => {
  const path = join(tempDir(), 'lines')
  const output = openLineOutput(openSync(path, 'w'), () => '')
  output.write('1\n')
  output.release()
  output.write('2\n')
  expect(readFileSync(path, 'utf8')).toBe('1\n2\n')
  await output.close(0)
})
