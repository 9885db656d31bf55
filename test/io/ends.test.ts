import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { silenceErrors, unwatchEnds, watchEnds } from '../../src/io/ends.ts'

interface Watched {
  readonly stream: PassThrough
  readonly told: string[]
  readonly watch: (name: string) => () => void
}

function watched(): Watched {
  const stream = new PassThrough()
  const told: string[] = []
  const watch = (name: string): (() => void) => {
    const watcher = {
      onEnd: () => void told.push(`${name}: end`),
      onError: ({ message }: Error) => void told.push(`${name}: ${message}`),
      onClose: () => void told.push(`${name}: close`),
    }
    watchEnds(stream, watcher)
    return () => unwatchEnds(stream, watcher)
  }
  return { stream, told, watch }
}

it('all watchers are told of end and close, in the order in which they came', async () => {
  const { stream, told, watch } = watched()
  watch('first')
  watch('second')
  stream.end()
  stream.resume()
  await new Promise((resolve) => stream.once('close', resolve))
  expect(told).toEqual(['first: end', 'second: end', 'first: close', 'second: close'])
})

it('who has left is told nothing, and what it left does not end the process', async () => {
  const { stream, told, watch } = watched()
  watch('stays')
  watch('leaves')()
  stream.destroy(new Error('reset'))
  await new Promise((resolve) => stream.once('close', resolve))
  expect(told).toEqual(['stays: reset', 'stays: close'])
})

it('who leaves or comes while all are told changes nothing for the others', async () => {
  const { stream, told, watch } = watched()
  const late = { onClose: () => void told.push('late: close') }
  watchEnds(stream, {
    onEnd() {
      leave()
      watchEnds(stream, late)
    },
  })
  const leave = watch('leaves')
  watch('stays')
  stream.end()
  stream.resume()
  await new Promise((resolve) => stream.once('close', resolve))
  expect(told).toEqual(['leaves: end', 'stays: end', 'stays: close', 'late: close'])
})

it('a stream has one listener for each event, however many watch', () => {
  const { stream, watch } = watched()
  const count = (): number => ['end', 'error', 'close'].reduce((sum, name) => sum + stream.listenerCount(name), 0)
  const before = count()
  for (let times = 0; times < 20; times++) watch(String(times))
  silenceErrors(silenceErrors(stream))
  expect(count()).toBe(before + 3)
  unwatchEnds(new PassThrough(), {})
})
