/** A session of the meek server by itself: which answer goes out again, and what happens to a body that comes again. */
import { randomBytes } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { leftIn } from '../../../src/io/tcp/close.ts'
import { Session } from '../../../src/transports/meek/session.ts'

function open(): Session {
  const session = new Session({ carried: () => undefined, changed: () => undefined })
  onTestFinished(() => void session.destroy())
  return session.on('error', () => undefined)
}

test('an answer that did not get out is the answer to the same body, whatever was written since then', () => {
  const session = open()
  const [body, answer] = [randomBytes(1_000), randomBytes(1_000)]
  session.hear(body)
  session.write(answer)
  for (let i = 0; i < 3; i++) {
    expect(session.say()?.equals(answer)).toBe(true)
    session.answered(false)
    session.write(`later ${i}`)
    session.hear(Buffer.from(body))
  }
  expect(session.say()?.equals(answer)).toBe(true)
  session.answered(true)
  session.hear(randomBytes(10))
  expect(String(session.say())).toBe('later 0later 1later 2')
  expect(session.readableLength).toBe(1_010)
})

test('the same body is passed on twice if its answer got out', () => {
  const session = open()
  for (let i = 0; i < 2; i++) {
    session.hear(Buffer.from('again'))
    session.say()
    session.answered(true)
  }
  expect(String(Buffer.concat([...leftIn(session)]))).toBe('againagain')
})

test('another body after an answer of no bytes was lost is passed on', () => {
  const session = open()
  session.hear(Buffer.from('one'))
  session.say()
  session.answered(false)
  session.hear(Buffer.from('two'))
  expect(String(Buffer.concat([...leftIn(session)]))).toBe('onetwo')
})

test('another body after an answer that held bytes was lost ends the session', () => {
  const session = open()
  session.hear(Buffer.from('one'))
  session.write('answer')
  session.say()
  session.answered(false)
  session.hear(Buffer.from('two'))
  expect(session.errored).toMatchObject({ code: 'PT_CLOSED' })
  expect(session.say()).toBeUndefined()
})

test('the end of the application is taken once its last bytes have got out', async () => {
  const session = open()
  let isFinished = false
  session.on('finish', () => (isFinished = true)).end('last')
  session.hear(Buffer.from('a'))
  expect(String(session.say())).toBe('last')
  session.answered(false)
  await new Promise((resolve) => setImmediate(resolve))
  expect(isFinished).toBe(false)
  session.hear(Buffer.from('a'))
  expect(String(session.say())).toBe('last')
  session.answered(true)
  await new Promise((resolve) => setImmediate(resolve))
  expect(isFinished).toBe(true)
  session.hear(Buffer.from('b'))
  expect(session.say()).toBeUndefined()
})

test('what it holds is counted', () => {
  const session = open()
  session.hear(Buffer.alloc(10))
  session.write(Buffer.alloc(100))
  expect(session.held).toBe(10 + 10 + 100)
  session.say()
  session.answered(false)
  expect(session.held).toBe(10 + 10 + 100)
  session.hear(Buffer.alloc(10))
  session.say()
  session.answered(true)
  session.read()
  expect(session.held).toBe(0)
})
