/** Probes of the destination of a server. Section "Server Environment Variables"; proposals 196 and 217. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { commands } from '../../../extor/index.ts'
import { delay } from '../../../io/wait/deadline.ts'
import type { Address } from '../../../ipc/index.ts'
import { formatAddress } from '../../../ipc/index.ts'
import { CLIENT_HOST, END_TIME } from '../evidence.ts'
import type { Heard } from '../ext-or-port.ts'
import { scriptedPort } from '../ext-or-port.ts'
import type { Launched } from '../../lab/launch.ts'
import type { Probe } from '../../probe.ts'
import { cannotTell } from '../../probe.ts'
import type { PtLab, ServerMethod } from '../pt-lab.ts'
import { joined } from '../pt-lab.ts'
import type { Wire } from '../../lab/wire.ts'
import { hex } from '../../lab/wire.ts'

const role = 'server'
const PAYLOAD = 'a payload of which nothing may be lost'

interface Arrival {
  /** The connection as the server has it. */
  readonly atServer: Wire
  /** The address that the connection comes from, as the server sees it. */
  readonly source: string
}

/** A connection to the server, through a client if there is one, and with a first payload. */
async function arrive(lab: PtLab, server: Launched & ServerMethod): Promise<Arrival> {
  const { listener, onward } = await lab.way(server.method.address, { localAddress: CLIENT_HOST })
  const near = await approach(lab, server, listener.address)
  near.write(PAYLOAD)
  for (const clock = lab.strain.clock(5_000); onward.length === 0 && clock.left() > 0;) await delay(10)
  const atServer = onward[0] ?? cannotTell('its listener was not reached')
  return { atServer, source: `${CLIENT_HOST}:${atServer.socket.localPort}` }
}

async function approach(lab: PtLab, server: ServerMethod, address: Address): Promise<Wire> {
  if (lab.subject.commands.client === undefined) return (await lab.open(address)) ?? cannotTell('no program accepts')
  const client = await lab.client()
  const { wire, granted, seen } = await lab.dial(client, address, joined(server.method.args, lab.subject.args))
  return granted ? wire : cannotTell(`its client did not grant the connection: ${seen}`)
}

/** Starts a server with an extended port, and opens one connection to it. */
async function visit(
  lab: PtLab,
  script: Parameters<typeof scriptedPort>[1],
): Promise<Arrival & { pt: Launched; heard: Heard }> {
  const port = await scriptedPort(lab, script)
  const pt = await lab.server({ TOR_PT_ORPORT: undefined, ...port.env })
  const arrival = await arrive(lab, pt)
  const heard = (await port.next(lab.patience)) ?? cannotTell('no connection came to the extended port')
  return { ...arrival, pt, heard }
}

function bodyOf({ frames }: Heard, command: number): string {
  return frames.find((frame) => frame.command === command)?.body.toString('latin1') ?? '(none)'
}

const portProbes: readonly Probe<PtLab>[] = [
  {
    ids: ['ARCH-4', 'SENV-10'],
    role,
    title: 'decoded traffic goes to the ORPort, and nothing else does',
    async run(lab) {
      const app = await lab.listen()
      const pt = await lab.server({ TOR_PT_ORPORT: formatAddress(app.address) })
      await arrive(lab, pt)
      const wire = await app.wire(0, lab.patience)
      const bytes = (await wire?.take(PAYLOAD.length, lab.patience))?.toString('latin1') ?? ''
      const alone = bytes === '' && lab.subject.commands.client === undefined
      if (alone) cannotTell('there is no client whose traffic it would forward')
      lab.judge(bytes === PAYLOAD, pt, 'the payload, from its first byte on', {
        sent: PAYLOAD,
        seen: bytes || '(nothing)',
      })
    },
  },
  {
    ids: ['SENV-11'],
    role,
    title: 'the extended port is preferred, and told the transport and the client’s address',
    async run(lab) {
      const empty = await lab.launch(role, { TOR_PT_EXTENDED_SERVER_PORT: '' })
      await empty.settled(lab.patience)
      const started = empty.lines.some((line) => line.startsWith('SMETHOD '))
      lab.judge(started, empty, 'a start as ever, as an empty extended port is none')
      const app = await lab.listen()
      const port = await scriptedPort(lab, { answer: 'okay' })
      const pt = await lab.server({ TOR_PT_ORPORT: formatAddress(app.address), ...port.env })
      const { source } = await arrive(lab, pt)
      const heard = await port.next(lab.patience)
      const around = app.wires.length > 0
      if (heard === undefined && !around) cannotTell('it forwarded nothing')
      lab.judge(heard !== undefined && !around, pt, 'a connection to the extended port, and none to the ORPort')
      if (heard?.hash !== 'right') cannotTell('the authentication failed')
      const seen = `TRANSPORT ${bodyOf(heard, commands.TRANSPORT)}, USERADDR ${bodyOf(heard, commands.USERADDR)}`
      const told =
        bodyOf(heard, commands.TRANSPORT) === lab.transport(role) && bodyOf(heard, commands.USERADDR) === source
      lab.judge(told, pt, `TRANSPORT ${lab.transport(role)}, USERADDR ${source}`, { seen })
    },
  },
]

const dialogueProbes: readonly Probe<PtLab>[] = [
  {
    ids: ['EXT-1'],
    role,
    title: 'both sides of the extended port show that they hold the cookie',
    async run(lab) {
      const right = await visit(lab, { answer: 'okay' })
      const seen = `type ${right.heard.type}, a hash that is ${right.heard.hash}`
      lab.judge(right.heard.hash === 'right', right.pt, 'SAFE_COOKIE and the right hash', { seen })
      const wrong = await visit(lab, { answer: 'okay', impostor: true })
      const answer = wrong.heard.hash === 'none' ? 'no hash' : 'its own hash'
      const sent = 'a server hash made from another cookie'
      lab.judge(wrong.heard.hash === 'none', wrong.pt, 'no hash of its own', { sent, seen: answer })
      const ended = await wrong.atServer.ends(END_TIME)
      lab.judge(ended, wrong.pt, 'the end of the client’s connection', {
        sent,
        seen: ended ? 'its end' : 'still open',
      })
    },
  },
  {
    ids: ['EXT-1'],
    role,
    title: 'without a whole cookie file nothing is forwarded',
    async run(lab) {
      // A connection that is not forwarded with the right cookie either, as it lacks a handshake, tells nothing about wrong ones.
      await visit(lab, { answer: 'okay' })
      const port = await scriptedPort(lab, { answer: 'okay' })
      const folder = await lab.folder()
      const short = join(folder, 'short')
      await writeFile(short, '! Extended ORPort Auth')
      for (const cookieFile of [join(folder, 'missing'), short]) {
        const variables = { TOR_PT_ORPORT: undefined, ...port.env, TOR_PT_AUTH_COOKIE_FILE: cookieFile }
        const pt = await lab.launch(role, variables)
        await pt.settled(lab.patience)
        if (!pt.lines.some((line) => line.startsWith('SMETHOD '))) {
          lab.judge(true, pt, 'no start, or no forwarding')
          continue
        }
        const server = await lab.server(variables)
        const { atServer } = await arrive(lab, server)
        const ended = await atServer.ends(8_000)
        lab.judge(ended, server, 'the end of the client’s connection', { seen: ended ? 'its end' : 'still open' })
      }
    },
  },
  {
    ids: ['EXT-2'],
    role,
    title: 'payload waits for OKAY, and DENY ends the client’s connection',
    async run(lab) {
      const { pt, heard } = await visit(lab, { answer: 'okay' })
      if (heard.hash !== 'right') cannotTell('the authentication failed')
      const seen = `${hex(heard.early)} after DONE, before the answer`
      lab.judge(heard.early.length === 0, pt, 'nothing between DONE and OKAY', { seen })
      const payload = (await heard.wire.take(PAYLOAD.length, END_TIME)).toString('latin1')
      lab.judge(payload === PAYLOAD, pt, 'the payload after OKAY', { sent: PAYLOAD, seen: payload || '(nothing)' })
      const denied = await visit(lab, { answer: 'deny' })
      const ended = await denied.atServer.ends(END_TIME)
      const after = await denied.heard.wire.rest(0)
      lab.judge(after.length === 0, denied.pt, 'nothing after DENY', { sent: 'DENY', seen: hex(after) })
      lab.judge(ended, denied.pt, 'the end of the client’s connection', {
        sent: 'DENY',
        seen: ended ? 'its end' : 'still open',
      })
    },
  },
  {
    ids: ['TRAP-20'],
    role,
    title: 'unknown commands before OKAY are passed over',
    async run(lab) {
      const { pt, heard } = await visit(lab, { answer: 'okay', unknownFirst: true })
      if (heard.hash !== 'right') cannotTell('the authentication failed')
      if (heard.early.length > 0) cannotTell('its payload does not wait for OKAY')
      const payload = (await heard.wire.take(PAYLOAD.length, END_TIME)).toString('latin1')
      lab.judge(payload === PAYLOAD, pt, 'the payload', {
        sent: 'command 2fff, then OKAY',
        seen: payload || '(nothing)',
      })
    },
  },
]

export const extorProbes: readonly Probe<PtLab>[] = [...portProbes, ...dialogueProbes]
