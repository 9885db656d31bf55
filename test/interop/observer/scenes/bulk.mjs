/** A download of 4 MiB: bytes on the wire beyond the payload, in percent, and the server's longest write. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const SIZE = 4 << 20

export async function scene(stage, { transport, program, folder, server }) {
  const trace = join(folder, 'trace')
  const strace = ['strace', '-f', '-qq', '-e', 'trace=write,writev,sendmsg', '-o', trace]
  const orPort = await stage.service((conn) => conn.write(Buffer.alloc(SIZE)))
  const bridge = await stage.server(program, transport, orPort, { exec: strace, options: server })
  const near = await (await stage.client(program, transport)).dial(bridge)
  await new Promise((resolve) => {
    let left = SIZE
    near.on('data', (bytes) => (left -= bytes.length) > 0 || resolve(undefined))
  })
  await stage.capture.flush()
  const [wire] = stage.capture.to(bridge.port)
  const writes = [...readFileSync(trace, 'latin1').matchAll(/ = (\d+)$/gm)].map(([, size]) => Number(size))
  return {
    overhead: (100 * wire.bytes('server')) / SIZE - 100,
    longest: Math.max(...writes),
  }
}
