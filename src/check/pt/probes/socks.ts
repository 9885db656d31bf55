/** Probes of a client's SOCKS port. Section "Architecture Overview"; RFC 1928. */
import { bridge, expectArrival, workingBridge } from '../bridge.ts'
import { QUIET } from '../evidence.ts'
import type { Probe } from '../../probe.ts'
import { cannotTell, notApplicable } from '../../probe.ts'
import type { PtLab } from '../pt-lab.ts'
import { socks4 } from '../socks.ts'
import { hex } from '../../lab/wire.ts'

const role = 'client'

/** Milliseconds between bytes that even a program on a busy machine reads one by one. */
const LONG_PAUSE = 100

export const socksProbes: readonly Probe<PtLab>[] = [
  {
    ids: ['ARCH-2'],
    role,
    title: 'the port speaks the SOCKS version of CMETHOD',
    async run(lab) {
      const { client } = await bridge(lab)
      const five = client.method.protocol === 'socks5'
      const ask = five ? Buffer.of(5, 2, 0, 2) : Buffer.of(4, 1, 0, 1, 127, 0, 0, 1, 0)
      for (const pause of [0, 2, LONG_PAUSE]) {
        const wire = (await lab.open(client.method.address)) ?? cannotTell('its port does not accept')
        await (pause > 0 ? wire.trickle(ask, pause) : wire.write(ask))
        const answer = await wire.take(2, lab.patience)
        const good = five
          ? answer[0] === 5 && (answer[1] === 0 || answer[1] === 2)
          : answer.length === 2 && answer[0] === 0
        const sent = `${hex(ask)}${pause > 0 ? `, byte by byte, ${pause} ms apart` : ''}`
        lab.judge(good, client, five ? '05 00 or 05 02' : 'a reply of SOCKS 4', { sent, seen: hex(answer) })
        wire.socket.destroy()
      }
      for (const bytes of [
        Buffer.of(6, 1, 0),
        Buffer.from('GET / HTTP/1.0\r\n\r\n'),
        Buffer.of(5, 0),
        Buffer.of(5, 1, 2, 1, 0, 0),
      ]) {
        const wire = await lab.open(client.method.address)
        wire?.write(bytes)
        const answer = (await wire?.rest(QUIET)) ?? Buffer.alloc(0)
        const granted = answer[0] === 5 && answer.length === 2 && answer[1] !== 0xff && bytes[0] !== 5
        lab.judge(!granted, client, 'no welcome', { sent: hex(bytes), seen: hex(answer) })
        wire?.socket.destroy()
      }
      const alive = client.exit === undefined && (await lab.open(client.method.address)) !== undefined
      lab.judge(alive, client, 'a PT that goes on', {
        sent: 'what is no SOCKS',
        seen: alive ? 'it goes on' : client.seen,
      })
    },
  },
  {
    ids: ['TRAP-12'],
    role,
    title: 'it chooses 02 when 00 and 02 are offered',
    async run(lab) {
      const { client } = await bridge(lab)
      if (client.method.protocol !== 'socks5') notApplicable('it announces SOCKS 4')
      const wire = (await lab.open(client.method.address)) ?? cannotTell('its port does not accept')
      wire.write(Buffer.of(5, 2, 0, 2))
      const answer = await wire.take(2, lab.patience)
      lab.judge(answer[1] === 2, client, '05 02', { sent: '05 02 00 02', seen: hex(answer) })
    },
  },
  {
    ids: ['TRAP-13'],
    role,
    title: 'messages in one packet are read one by one',
    async run(lab) {
      const made = await workingBridge(lab)
      if (made.client.method.protocol !== 'socks5') notApplicable('SOCKS 4 has one message only')
      await expectArrival(lab, made, made.args, 'greeting, login and request in one packet', { pipelined: true })
    },
  },
  {
    ids: ['TRAP-25'],
    role,
    title: 'a port that serves SOCKS 4 takes 4a, with a host name',
    async run(lab) {
      const made = await workingBridge(lab)
      const plain = (await lab.open(made.client.method.address)) ?? cannotTell('its port does not accept')
      const four = await socks4(plain, made.address, made.args, { patience: lab.patience })
      if (!four.granted) notApplicable('it serves no SOCKS 4')
      const wire = (await lab.open(made.client.method.address)) ?? cannotTell('its port does not accept')
      const outcome = await socks4(wire, await made.named(), made.args, { patience: lab.patience })
      lab.judge(await made.arrives({ wire, ...outcome }), made.client, 'a granted request, and traffic', {
        sent: 'a SOCKS 4a request for localhost',
        seen: outcome.seen,
      })
    },
  },
  {
    ids: ['TRAP-26'],
    role,
    title: 'requests for a host name are taken',
    async run(lab) {
      const made = await workingBridge(lab)
      if (made.client.method.protocol !== 'socks5') notApplicable('it announces SOCKS 4')
      await expectArrival(lab, made, made.args, 'a SOCKS 5 request for localhost', { target: await made.named() })
    },
  },
  {
    ids: ['TRAP-27'],
    role,
    title: 'only CONNECT is granted',
    async run(lab) {
      const made = await workingBridge(lab)
      if (made.client.method.protocol !== 'socks5') notApplicable('it announces SOCKS 4')
      for (const [command, name] of [
        [2, 'BIND'],
        [3, 'UDP ASSOCIATE'],
      ] as const) {
        const { granted, seen } = await lab.dial(made.client, made.address, made.args, { command })
        lab.judge(!granted, made.client, 'a request that fails', { sent: `${name}, command ${command}`, seen })
      }
    },
  },
  {
    ids: ['TRAP-17'],
    role,
    title: 'a client that says nothing is cut off within a minute',
    slow: true,
    async run(lab) {
      const client = await lab.client()
      const wire = (await lab.open(client.method.address)) ?? cannotTell('its port does not accept')
      wire.write(Buffer.of(5))
      const ended = await wire.ends(60_000)
      lab.judge(ended, client, 'its end within 60 s', {
        sent: '05, and nothing more',
        seen: ended ? 'its end' : 'still open',
      })
    },
  },
]
