/** Our requests beside those of obfs4proxy and lyrebird, over HTTP/1.1: the same front records both. */
import { describe, expect, test } from 'vitest'
import { dial, ok, scriptedFront } from '../transports/meek/scripted-front.ts'
import { goClient, goPeers } from './go-peers.ts'

/** The requests of a client that writes a word and then waits, without what is random. */
function shown(heard: readonly { readonly head: string; readonly body: Buffer; readonly id: string }[]): string[] {
  return heard.map(({ head, body, id }) => head.replace(id, `<${id.length} of hex>`) + String(body))
}

const url = (port: number): string => `http://127.0.0.1:${port}/some/path?x=1`

describe.each(goPeers)('the requests of %s', (program) => {
  test('are ours byte for byte, and so is the number of requests without a body after one with bytes', async (context) => {
    const theirs = await scriptedFront(() => ok())
    const ours = await scriptedFront(() => ok())
    const client = await goClient(context, program, 'meek_lite')
    const [their, our] = await Promise.all([
      client.dial('192.0.2.20:80', { url: url(theirs.port) }),
      dial(ours.port, { args: { url: url(theirs.port) } }),
    ])
    their.write('hello')
    our.write('hello')
    // Ours has asked once before its dial was done.
    await Promise.all([theirs.request(3), ours.request(4)])
    const [without, ...rest] = shown(ours.heard.slice(0, 5))
    expect(rest).toEqual(shown(theirs.heard.slice(0, 4)))
    expect(without).toBe(rest[1])
    expect(theirs.heard.map(({ connection }) => connection)).toEqual(
      ours.heard.slice(1).map(({ connection }) => connection),
    )
  })
})
