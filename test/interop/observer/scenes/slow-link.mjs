/** 8 MiB and an end over a link of 1 MB a second: how many bytes arrive, and whether they are those that were sent. */
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'

const SIZE = 8 << 20

export async function scene(stage, { transport, client, server, from }) {
  let served
  const accepted = new Promise((resolve) => (served = resolve))
  const bridge = await stage.server(server, transport, await stage.service(served))
  const near = await (await stage.client(client, transport)).dial(bridge)
  near.write('!')
  const far = await accepted
  await once(far, 'data')
  // Only what comes from the server's port, or goes there: the applications are on this machine.
  const rules = [
    ['qdisc', 'add', 'dev', 'lo', 'root', 'handle', '1:', 'htb', 'default', '2'],
    ['class', 'add', 'dev', 'lo', 'parent', '1:', 'classid', '1:1', 'htb', 'rate', '8mbit'],
    ['class', 'add', 'dev', 'lo', 'parent', '1:', 'classid', '1:2', 'htb', 'rate', '10gbit'],
    ...['sport', 'dport'].map((port) => [
      'filter',
      'add',
      'dev',
      'lo',
      'parent',
      '1:',
      'protocol',
      'ip',
      'u32',
      'match',
      'ip',
      port,
      `${bridge.port}`,
      '0xffff',
      'flowid',
      '1:1',
    ]),
  ]
  for (const rule of rules) {
    const { status, stderr } = spawnSync('tc', rule, { encoding: 'utf8' })
    if (status !== 0) return { unable: stderr }
  }
  const [sender, receiver] = from === 'client' ? [near, far] : [far, near]
  const bytes = randomBytes(SIZE)
  const [sent, received] = [createHash('sha256').update(bytes), createHash('sha256')]
  let count = 0
  receiver.removeAllListeners('data').on('data', (chunk) => {
    count += chunk.length
    received.update(chunk)
  })
  sender.end(bytes)
  await once(receiver, 'end')
  return { count, same: sent.digest('hex') === received.digest('hex') }
}
