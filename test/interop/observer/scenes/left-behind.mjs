/** What our PT keeps of connections whose application here has gone, beside a peer that does not answer: `ss` lines of its wire. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'

export async function scene(stage, { transport, client, server, gone }) {
  const accepted = []
  // Not at once: a client in Go leaves unread what comes in one segment with the answer to its hello.
  const serve = (conn) => accepted.push(conn) && conn.once('data', () => conn.write('hello'))
  const bridge = await stage.server(server, transport, await stage.service(serve))
  const dialler = await stage.client(client, transport)
  const nears = []
  for (let times = 0; times < 3; times++) {
    const near = await dialler.dial(bridge)
    near.write('hello')
    await once(near, 'data')
    nears.push(near)
  }
  const before = owned(bridge.port)
  for (const conn of gone === 'client' ? nears : accepted) conn.destroy()
  let after = before
  const until = Date.now() + 15_000
  while (after > 0 && Date.now() < until) after = owned(bridge.port)
  return { before, after }
}

/** How many connections to or from the port a Node process other than this one has open. */
function owned(port) {
  const { stdout } = spawnSync('ss', ['-tanpH', `( sport = :${port} or dport = :${port} )`], { encoding: 'utf8' })
  const lines = stdout.split('\n').filter((line) => !line.startsWith('LISTEN'))
  return lines.filter(
    (line) => /users:\(\("(?:node|[\w-]*MainThread)"/.test(line) && !line.includes(`pid=${process.pid},`),
  ).length
}
