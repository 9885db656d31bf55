/**
 * One side ends a connection in one of several ways, and the other application does nothing about it. Options: transport, client,
 * server (programs), and `how`.
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

export async function scene(stage, { transport, client, server, how }) {
  const { download, upload = 10, act } = ways[how]
  const served = withResolvers()
  const bridge = await stage.server(server, transport, await stage.service(served.resolve))
  const near = await (await stage.client(client, transport)).dial(bridge)
  send(near, upload)
  const far = await served.promise
  send(far, download)
  await once(near, 'readable')
  await once(far, 'readable')
  // A download is under way, and the applications take it as it comes.
  near.resume()
  if (upload === Infinity) far.resume()
  const [wire] = stage.capture.to(bridge.port)
  const busy = download === Infinity ? 'server' : 'client'
  if (download === Infinity || upload === Infinity)
    await stage.capture.until(() => wire.bytes(busy) > 1_000_000, 'traffic')
  await stage.capture.flush()
  act({ near, far })
  const answered = await stage.capture
    .until(() => wire.over, 'an answer', UNANSWERED)
    .then(
      () => true,
      () => false,
    )
  await stage.capture.flush()
  return { ends: wire.ends, answered, after: { client: wire.afterEnd('client'), server: wire.afterEnd('server') } }
}

/** Writes so many bytes, as fast as they are taken. */
function send(conn, bytes) {
  const chunk = Buffer.alloc(Math.min(bytes, 65_536))
  let left = bytes
  const more = () => {
    while (left > 0 && !conn.destroyed) {
      left -= chunk.length
      if (!conn.write(chunk)) return void conn.once('drain', more)
    }
  }
  more()
}

function withResolvers() {
  let resolve
  const promise = new Promise((done) => (resolve = done))
  return { promise, resolve }
}
