/**
 * One side ends a connection in each of several ways, and the other application does nothing about it. Options: transport, client
 * and server (programs), and `hows`, by default all ways. Returns what is seen of each.
 */
import { once } from 'node:events'

const ways = {
  'the client application closes': { download: 100, act: ({ near }) => near.destroy() },
  'the client application half-closes': { download: 100, act: ({ near }) => near.end() },
  'the client application resets': { download: 100, act: ({ near }) => near.resetAndDestroy() },
  "the server's application closes": { download: 100, act: ({ far }) => far.destroy() },
  "the server's application half-closes": { download: 100, act: ({ far }) => far.end() },
  "the server's application resets": { download: 100, act: ({ far }) => far.resetAndDestroy() },
  'the client application closes in a download': { download: Infinity, act: ({ near }) => near.destroy() },
  'the client application resets in a download': { download: Infinity, act: ({ near }) => near.resetAndDestroy() },
  "the server's application closes in an upload": { download: 100, upload: Infinity, act: ({ far }) => far.destroy() },
}

/** How long an end that nobody answers is watched, in milliseconds. */
const UNANSWERED = 3_000

export async function scene(stage, { transport, client, server, hows = Object.keys(ways) }) {
  let served
  const bridge = await stage.server(server, transport, await stage.service((conn) => served(conn)))
  const dialler = await stage.client(client, transport)
  const seen = {}
  for (const [at, how] of hows.entries()) {
    const accepted = new Promise((resolve) => (served = resolve))
    const near = await dialler.dial(bridge)
    const wire = () => stage.capture.to(bridge.port)[at]
    seen[how] = await ending(stage, { near, accepted, wire }, ways[how])
    near.destroy()
  }
  return seen
}

async function ending(stage, { near, accepted, wire }, { download, upload = 10, act }) {
  send(near, upload)
  const far = await accepted
  send(far, download)
  await once(near, 'readable')
  await once(far, 'readable')
  // A download is under way, and the applications take it as it comes.
  near.resume()
  if (upload === Infinity) far.resume()
  const busy = download === Infinity ? 'server' : 'client'
  if (download === Infinity || upload === Infinity)
    await stage.capture.until(() => wire()?.bytes(busy) > 1_000_000, 'traffic')
  await stage.capture.flush()
  act({ near, far })
  await stage.capture.until(() => wire()?.over, 'an answer', UNANSWERED).catch(() => undefined)
  await stage.capture.flush()
  const { ends, over } = wire()
  far.destroy()
  return { ends, answered: over, after: { client: wire().afterEnd('client'), server: wire().afterEnd('server') } }
}

/** Milliseconds between two pieces. Without a pause a busy machine loses packets before they are seen, and with them an end. */
const PAUSE = 5

/** Writes so many bytes, no faster than they are taken and 13 MB/s. */
function send(conn, bytes) {
  const chunk = Buffer.alloc(Math.min(bytes, 65_536))
  let left = bytes
  const more = () => {
    if (left <= 0 || conn.destroyed) return
    left -= chunk.length
    if (conn.write(chunk)) setTimeout(more, PAUSE)
    else conn.once('drain', () => setTimeout(more, PAUSE))
  }
  more()
}
