import { Args } from 'postern/ipc'
import { describe, expect, test } from 'vitest'
import { Outcomes } from '../../src/parent/outcomes.ts'

function say(outcomes: Outcomes, pairs: Record<string, string>): void {
  outcomes.note({ type: 'status', transport: pairs['TRANSPORT'], args: Args.from(pairs) })
}

const failed = { TRANSPORT: 'a', PORT: '50312', CONNECT: 'Failed', STAGE: 'mac', ERRSTR: 'altered' }

describe('STATUS-2: what a PT says of single connections', () => {
  test('is found by the port, before it is asked for or after', async () => {
    const outcomes = new Outcomes()
    using early = outcomes.expect('a', 50_312)
    say(outcomes, failed)
    expect(await early.within(0)).toEqual({ stage: 'mac', words: 'altered' })
    using late = outcomes.expect('a', 50_313)
    const said = late.within(60_000)
    say(outcomes, { ...failed, PORT: '50313', STAGE: 'auth' })
    expect(await said).toEqual({ stage: 'auth', words: 'altered' })
  })

  test('is that of no other connection, transport or outcome', async () => {
    const outcomes = new Outcomes()
    using expected = outcomes.expect('a', 50_312)
    for (const other of [{ PORT: '50313' }, { TRANSPORT: 'b' }, { CONNECT: 'Success' }]) {
      say(outcomes, { ...failed, ...other })
    }
    expect(await expected.within(1)).toBeUndefined()
  })

  test('is waited for once the PT has named a connection, and hardly if it never has', () => {
    const outcomes = new Outcomes()
    say(outcomes, { TRANSPORT: 'a', CONNECT: 'Success' })
    expect([outcomes.exact, outcomes.patience]).toEqual([false, 50])
    say(outcomes, { TRANSPORT: 'a', PORT: '1', CONNECT: 'Success' })
    expect([outcomes.exact, outcomes.patience]).toEqual([true, 1_000])
  })

  test('is read by a busy parent although its time is over: the line waits in the pipe', async () => {
    const outcomes = new Outcomes()
    using expected = outcomes.expect('a', 50_312)
    const said = expected.within(1)
    // The timer is due before the loop comes to what was written meanwhile.
    const until = performance.now() + 20
    while (performance.now() < until);
    setImmediate(() => say(outcomes, failed))
    expect(await said).toEqual({ stage: 'mac', words: 'altered' })
  })
})
