/** One bit is flipped in the path, on the way to `receiver` ('client' or 'server'): how the connection to the receiver ends. */
import { once } from 'node:events'

export async function scene(stage, { transport, client, server, receiver }) {
  let served
  const accepted = new Promise((resolve) => (served = resolve))
  const bridge = await stage.server(server, transport, await stage.service(served))
  const sender = receiver === 'client' ? 'server' : 'client'
  let armed = false
  const path = await stage.relay(bridge.port, (side, bytes) => {
    if (!armed || side !== sender) return bytes
    armed = false
    const changed = Buffer.from(bytes)
    changed[10] ^= 1
    return changed
  })
  const near = await (await stage.client(client, transport)).dial({ ...bridge, port: path })
  near.write('hello')
  const far = await accepted
  far.write('hello')
  for (const conn of [near, far]) await once(conn, 'data')
  await stage.capture.flush()
  armed = true
  ;(sender === 'client' ? near : far).write(Buffer.alloc(100))
  const [wire] = stage.capture.to(receiver === 'client' ? path : bridge.port)
  await stage.capture.until(() => wire.ends.length > 0, 'an end', 3_000).catch(() => undefined)
  return { first: wire.ends[0] }
}
