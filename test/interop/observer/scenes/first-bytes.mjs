/**
 * A client's application says 8 bytes and the server's answers with 100: what each side writes up to then, in runs that end with a
 * PSH. Options: transport, client, server (programs).
 */
import { once } from 'node:events'

export async function scene(stage, { transport, client, server }) {
  const orPort = await stage.service((far) => far.once('data', () => far.write(Buffer.alloc(100))))
  const bridge = await stage.server(server, transport, orPort)
  const near = await (await stage.client(client, transport)).dial(bridge)
  near.write(Buffer.alloc(8))
  await once(near, 'data')
  await stage.capture.flush()
  const [wire] = stage.capture.to(bridge.port)
  return { client: wire.runs('client'), server: wire.runs('server') }
}
