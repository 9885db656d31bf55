/** Probes of how a parent takes what its PT says and does. Sections "Communication", "Client Messages", "Shutdown". */
import { connect } from 'node:net'
import { connectExtOrPort } from '../../../extor/index.ts'
import { formatAddress, parseAddress } from '../../../ipc/index.ts'
import { visible } from '../../lab/launch.ts'
import type { Probe } from '../../probe.ts'
import { cannotTell, notApplicable } from '../../probe.ts'
import type { Role } from '../../verdict.ts'
import type { ParentLab, Session } from '../parent-lab.ts'
import type { PlayedPt } from '../played-pt.ts'

/** How long a parent is watched that must not dismiss its PT. */
const WATCHED = 1_500

/** What a parent waits at least between one step of a shutdown and the next, in milliseconds. */
const PATIENT = 100

/** Returns the lines that start a PT well, each transport on its own listener's address. */
async function methodLines(lab: ParentLab, pt: PlayedPt): Promise<string[]> {
  const listener = await lab.listen()
  const address = formatAddress(listener.address)
  return pt.transports.map((name) =>
    pt.role === 'client' ? `CMETHOD ${name} socks5 ${address}` : `SMETHOD ${name} ${address}`,
  )
}

export function doneLine(pt: PlayedPt): string {
  return pt.role === 'client' ? 'CMETHODS DONE' : 'SMETHODS DONE'
}

/** Tries a plain start; a parent that dismisses a PT for that tells nothing about unusual ones. */
async function plainWorks(lab: ParentLab): Promise<void> {
  const works = await lab.evidence('plain', async (lab) => {
    const { pt } = await lab.session()
    pt.say('VERSION 1', ...(await methodLines(lab, pt)), doneLine(pt))
    return (await pt.dismissed(WATCHED)) ? pt.history : ''
  })
  if (works !== '') cannotTell(`the parent dismisses a PT that starts well: ${works}`)
}

async function expectTaken(lab: ParentLab, session: Session, lines: readonly string[]): Promise<void> {
  session.pt.say(...lines)
  const dismissed = await session.pt.dismissed(WATCHED)
  lab.expect(!dismissed, {
    sent: lines.map((line) => visible(line)).join('\n'),
    expected: 'a PT that goes on',
    seen: session.pt.history,
  })
}

const lineProbes = (role: Role): readonly Probe<ParentLab>[] => [
  {
    ids: ['LINE-2'],
    role,
    title: 'lines with unknown keywords are ignored',
    async run(lab) {
      await plainWorks(lab)
      const session = await lab.session()
      const { pt } = session
      const methods = await methodLines(lab, pt)
      await expectTaken(lab, session, [
        'FROBNICATE',
        'VERSION 1',
        'HELLO-WORLD 1 2',
        ...methods,
        'x y',
        doneLine(pt),
        'Z_9',
      ])
      // These lines are legal by the grammar, and odd: a short and a long keyword, no letter, and every other character of ASCII.
      const odd = await lab.session()
      const characters = Array.from({ length: 0x7f }, (_, code) => String.fromCharCode(code + 1)).join('')
      await expectTaken(lab, odd, [
        '-',
        '_ ',
        '0',
        `LONG ${'x'.repeat(8_000)}`,
        'VERSION 1',
        `ODD ${characters.replaceAll(/[\r\n]/g, '')}`,
        ...(await methodLines(lab, odd.pt)),
        doneLine(odd.pt),
      ])
      // Keywords that begin like those of the draft are unknown all the same.
      const alike = await lab.session()
      await expectTaken(lab, alike, [
        'VERSIONS 2',
        'VERSION 1',
        'PROXYDONE x',
        'LOGS SEVERITY=x',
        ...(await methodLines(lab, alike.pt)),
        doneLine(alike.pt),
      ])
    },
  },
  {
    ids: ['LOG-2', 'STATUS-2'],
    role,
    title: 'LOG and STATUS are taken in every state',
    async run(lab) {
      await plainWorks(lab)
      const session = await lab.session()
      const { pt } = session
      const log = 'LOG SEVERITY=error MESSAGE="ENV-ERROR CMETHODS DONE"'
      const status = `STATUS TRANSPORT=${pt.transports[0]} CONNECT=Failed ERRSTR="Connection refused"`
      const methods = await methodLines(lab, pt)
      await expectTaken(lab, session, ['VERSION 1', log, status, ...methods, log, doneLine(pt), log, status])
      const odd = await lab.session()
      await expectTaken(lab, odd, [
        'VERSION 1',
        'LOG SEVERITY=debug MESSAGE=word',
        'LOG SEVERITY=notice MESSAGE="a \\"quoted\\" word, and a \\\\"',
        'STATUS TRANSPORT=a b=c D_9=""',
        'STATUS TYPE=version IMPLEMENTATION="x y" VERSION="1.2"',
        ...(await methodLines(lab, odd.pt)),
        doneLine(odd.pt),
      ])
    },
  },
  {
    ids: ['TRAP-22'],
    role,
    title: 'a PT that dies, or breaks the protocol, does not fell the parent',
    async run(lab) {
      for (const bad of ['', 'VERSION 1', 'CMETHOD', 'VERSION 1\nSMETHOD x\nCMETHOD y', 'VERSION 1\n\0\xff']) {
        const { parent, pt } = await lab.session()
        pt.say(bad)
        await pt.gone(WATCHED)
        pt.order({ exit: 3 })
        await parent.ends(500)
        const felled = typeof parent.exit === 'string'
        lab.expect(!felled, {
          sent: `${JSON.stringify(bad)}, then the end of the PT`,
          expected: 'no crash',
          seen: parent.seen,
        })
      }
    },
  },
  {
    ids: ['TRAP-21'],
    role,
    title: 'a silent PT is given up on within a minute',
    slow: true,
    async run(lab) {
      const { pt } = await lab.session()
      const dismissed = await pt.dismissed(65_000)
      lab.expect(dismissed, { sent: 'nothing', expected: 'the end of the PT within 60 s', seen: pt.history })
    },
  },
]

const stopProbe = (role: Role): Probe<ParentLab> => ({
  ids: ['STOP-1'],
  role,
  title: 'a PT is ended step by step: stdin, SIGTERM, SIGKILL',
  async run(lab) {
    const { parent, pt } = await lab.session()
    pt.order({ deaf: true })
    pt.say('VERSION 1', ...(await methodLines(lab, pt)), doneLine(pt))
    await pt.dismissed(WATCHED)
    if (pt.happenings.length > 0) cannotTell(`the PT was dismissed before the parent was: ${pt.history}`)
    const before = await pt.waited()
    parent.child.kill(lab.subject.stop)
    const gone = await pt.gone(30_000)
    const [first, second] = pt.happenings
    if (first === undefined) cannotTell(`${lab.subject.stop} does not make the parent end its PT`)
    const sent = `${lab.subject.stop} to the parent, whose PT ends by SIGKILL only`
    const told = pt.env['TOR_PT_EXIT_ON_STDIN_CLOSE'] ?? 'unset'
    const seen = `TOR_PT_EXIT_ON_STDIN_CLOSE ${told}; ${pt.history}`
    const gap = second === undefined ? Infinity : second.at - first.at
    const patient = gap >= PATIENT
    // The first message may have been delayed for as long as the PT waited for a CPU.
    if (!patient && gap + first.waited - before >= PATIENT)
      cannotTell(`the machine is so busy that times say nothing: ${seen}`)
    const good = told === '1' && first.what === 'stdin' && patient && gone
    lab.expect(good, { sent, expected: 'stdin closed, some time, then SIGTERM and SIGKILL', seen })
  },
})

const clientProbe: Probe<ParentLab> = {
  ids: ['CM-5'],
  role: 'client',
  title: 'CMETHOD lines are taken in any order',
  async run(lab) {
    await plainWorks(lab)
    const session = await lab.session()
    if (session.pt.transports.length < 2) notApplicable('it asks for one transport only')
    const methods = (await methodLines(lab, session.pt)).toReversed()
    await expectTaken(lab, session, ['VERSION 1', ...methods, 'CMETHODS DONE'])
    // Some give up if one transport fails; the order must not matter for those that do not.
    const withError = async (reversed: boolean): Promise<Session & { readonly lines: string[] }> => {
      const made = await lab.session()
      const [first = '', second = ''] = await methodLines(lab, made.pt)
      const both = [first, `CMETHOD-ERROR ${second.split(' ')[1]} no cows`]
      return { ...made, lines: ['VERSION 1', ...(reversed ? both.toReversed() : both), 'CMETHODS DONE'] }
    }
    const ordered = await withError(false)
    ordered.pt.say(...ordered.lines)
    if (await ordered.pt.dismissed(WATCHED)) return
    const turned = await withError(true)
    await expectTaken(lab, turned, turned.lines)
  },
}

const loopbackProbe: Probe<ParentLab> = {
  ids: ['TRAP-28'],
  role: 'client',
  title: 'a listener on [::1] is taken',
  async run(lab) {
    await plainWorks(lab)
    const listener = await lab.listen(undefined, '::1').catch(() => cannotTell('this system has no ::1'))
    const session = await lab.session()
    const address = formatAddress(listener.address)
    const methods = session.pt.transports.map((name) => `CMETHOD ${name} socks5 ${address}`)
    await expectTaken(lab, session, ['VERSION 1', ...methods, 'CMETHODS DONE'])
  },
}

const serverProbe: Probe<ParentLab> = {
  ids: ['EXT-3'],
  role: 'server',
  title: 'its Extended ORPort takes a connection with transport and address',
  async run(lab) {
    const { pt } = await lab.session()
    const [port, cookieFile] = [pt.env['TOR_PT_EXTENDED_SERVER_PORT'], pt.env['TOR_PT_AUTH_COOKIE_FILE']]
    if (!port || cookieFile === undefined) notApplicable('it uses no ExtORPort')
    pt.say('VERSION 1', ...(await methodLines(lab, pt)), doneLine(pt))
    const conn = connect({ ...parseAddress(port), allowHalfOpen: true })
    lab.closes(() => void conn.destroy())
    const request = { cookieFile, transport: pt.transports[0], userAddr: '192.0.2.7:4711' }
    const failure = await connectExtOrPort(conn, request).then(
      () => '',
      (error: unknown) => (error as Error).message,
    )
    const sent = 'SAFE_COOKIE, USERADDR 192.0.2.7:4711, TRANSPORT, DONE'
    lab.expect(failure === '', { sent, expected: 'OKAY', seen: failure || 'OKAY' })
  },
}

export const dialogueProbes = (role: Role): Probe<ParentLab>[] => [
  ...lineProbes(role),
  stopProbe(role),
  ...(role === 'client' ? [clientProbe, loopbackProbe] : [serverProbe]),
]
