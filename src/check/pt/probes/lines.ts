/** Probes of what is written on stdout. Sections "Communication", "Common Messages", "Log Message", "Status Message". */
import { Args, parseMessage } from '../../../ipc/index.ts'
import { dayOf, failedStarts, plainStart } from '../evidence.ts'
import type { Launched } from '../../lab/launch.ts'
import type { Probe } from '../../probe.ts'
import { Finding, notApplicable } from '../../probe.ts'
import type { PtLab } from '../pt-lab.ts'
import { UNKNOWN_NAME } from '../subject.ts'
import type { Role } from '../../verdict.ts'

/** <Keyword>, then arguments of ASCII without NUL; latin1 has a character for each byte. */
const LINE = /^[a-zA-Z0-9_-]+(?: [\x01-\x7f]*)?$/
const KEYWORD =
  /^(?:VERSION|VERSION-ERROR|ENV-ERROR|PROXY|PROXY-ERROR|CMETHOD|CMETHOD-ERROR|CMETHODS|SMETHOD|SMETHOD-ERROR|SMETHODS|LOG|STATUS)(?: |$)/

/** Returns everything that the program said on several occasions. */
async function allSaid(lab: PtLab, role: Role): Promise<Launched[]> {
  const said = [await plainStart(lab, role), ...(await failedStarts(lab, role)).map(({ pt }) => pt)]
  try {
    said.push((await dayOf(lab, role)).pt)
  } catch (error) {
    if (!(error instanceof Finding)) throw error
  }
  return said
}

/** Returns lines with this keyword; if the program never wrote any, the question does not arise. */
async function linesOf(lab: PtLab, role: Role, keyword: string): Promise<{ pt: Launched; lines: string[] }[]> {
  const all = (await allSaid(lab, role)).map((pt) => ({
    pt,
    lines: pt.lines.filter((line) => line.startsWith(`${keyword} `) || line === keyword),
  }))
  const some = all.filter(({ lines }) => lines.length > 0)
  return some.length > 0 ? some : notApplicable(`it wrote no ${keyword} line`)
}

function parses(line: string): boolean {
  try {
    parseMessage(line)
    return true
  } catch {
    return false
  }
}

/** A STATUS has TRANSPORT and another pair; tor and the PTs around it also know `TYPE=version …`, without. */
function isStatus(line: string): boolean {
  if (!parses(line)) return false
  const message = parseMessage(line)
  const args = message.type === 'status' ? message.args : Args.none
  return args.size >= 2 && (args.has('TRANSPORT') || args.has('TYPE'))
}

const formProbes = (role: Role): readonly Probe<PtLab>[] => [
  {
    ids: ['LINE-1'],
    role,
    title: 'stdout has lines of the protocol and nothing else',
    async run(lab) {
      const foreign = await lab.launch(role, strange(role, lab.transport(role)))
      await foreign.settled(lab.patience)
      await foreign.ends(200)
      for (const pt of [...(await allSaid(lab, role)), foreign]) {
        const bad = pt.lines.find((line) => !LINE.test(line))
        const seen = bad === undefined ? pt.seen : `${JSON.stringify(bad)} in\n${pt.seen}`
        lab.judge(bad === undefined, pt, 'a keyword, and arguments of ASCII, in each line', { seen })
        lab.judge(pt.rest === '', pt, 'NL at the end of every line')
      }
    },
  },
  {
    ids: ['TRAP-7'],
    role,
    title: 'no keyword besides those of the draft',
    async run(lab) {
      for (const pt of await allSaid(lab, role)) {
        lab.judge(
          pt.lines.filter((line) => LINE.test(line)).every((line) => KEYWORD.test(line)),
          pt,
          'known keywords',
        )
      }
    },
  },
  {
    ids: ['LOG-1'],
    role,
    title: 'LOG has SEVERITY and MESSAGE',
    async run(lab) {
      for (const { pt, lines } of await linesOf(lab, role, 'LOG')) {
        const bad = lines.find((line) => !parses(line))
        const expected = 'LOG SEVERITY=<error|warning|notice|info|debug> MESSAGE=<String or CString>'
        lab.judge(bad === undefined, pt, expected, { seen: bad ?? lines[0]! })
      }
    },
  },
  {
    ids: ['STATUS-1'],
    role,
    title: 'STATUS has TRANSPORT and another pair',
    async run(lab) {
      for (const { pt, lines } of await linesOf(lab, role, 'STATUS')) {
        const bad = lines.find((line) => !isStatus(line))
        const expected = 'STATUS TRANSPORT=<name> <k>=<v>, or STATUS TYPE=version with its values'
        lab.judge(bad === undefined, pt, expected, { seen: bad ?? lines[0]! })
      }
    },
  },
  {
    ids: ['TRAP-1'],
    role,
    title: 'no octal escapes in LOG and STATUS',
    async run(lab) {
      for (const pt of await allSaid(lab, role)) {
        const bad = pt.lines.find((line) => /^(?:LOG|STATUS) .*"(?:[^"\\]|\\.)*\\[0-8]/.test(line))
        const seen = bad ?? 'none'
        lab.judge(bad === undefined, pt, 'backslashes before quotes, backslashes, n, r and t only', { seen })
      }
    },
  },
  {
    ids: ['TRAP-9'],
    role,
    title: 'SEVERITY before MESSAGE',
    async run(lab) {
      for (const { pt, lines } of await linesOf(lab, role, 'LOG')) {
        const bad = lines.find((line) => !line.startsWith('LOG SEVERITY='))
        lab.judge(bad === undefined, pt, 'LOG SEVERITY= first', { seen: bad ?? lines[0]! })
      }
    },
  },
]

const errorProbes = (role: Role): readonly Probe<PtLab>[] => [
  {
    ids: ['ERR-1'],
    role,
    title: 'ENV-ERROR says what is wrong',
    async run(lab) {
      for (const { pt, at } of await envErrors(lab, role)) {
        lab.judge(/[a-zA-Z]{2,}.*[a-zA-Z]{2,}/.test(pt.lines[at]!.slice('ENV-ERROR'.length)), pt, 'a message in words')
      }
    },
  },
  {
    ids: ['ERR-2'],
    role,
    title: 'it ends after ENV-ERROR',
    async run(lab) {
      for (const { pt, at } of await envErrors(lab, role)) {
        lab.judge(pt.exit !== undefined, pt, 'its end within 5 s')
        lab.judge(!pt.lines.slice(at).some((line) => /^[CS]METHOD/.test(line)), pt, 'no transport after ENV-ERROR')
      }
    },
  },
  {
    ids: ['TRAP-3'],
    role,
    title: 'a LOG line ahead of an ENV-ERROR after VERSION',
    async run(lab) {
      const late = (await envErrors(lab, role)).filter(({ pt }) => pt.lines.some((line) => line.startsWith('VERSION ')))
      if (late.length === 0) notApplicable('no ENV-ERROR came after VERSION')
      for (const { pt, at } of late) {
        lab.judge(
          pt.lines.slice(0, at).some((line) => line.startsWith('LOG ')),
          pt,
          'LOG, then ENV-ERROR',
        )
      }
    },
  },
  {
    ids: ['FLOW-5'],
    role,
    title: 'it says how the launch of each transport went, and that all is said',
    async run(lab) {
      const pt = await plainStart(lab, role)
      const letter = role === 'client' ? 'C' : 'S'
      const told = pt.lines.some((line) =>
        new RegExp(`^${letter}METHOD(?:-ERROR)? +${lab.transport(role)} `).test(line),
      )
      lab.judge(told, pt, `${letter}METHOD or ${letter}METHOD-ERROR for the transport`)
    },
  },
]

export const lineProbes = (role: Role): readonly Probe<PtLab>[] => [...formProbes(role), ...errorProbes(role)]

async function envErrors(lab: PtLab, role: Role): Promise<readonly { pt: Launched; at: number }[]> {
  const said = (await failedStarts(lab, role)).filter(({ at }) => at !== -1)
  return said.length > 0 ? said : notApplicable('nothing made it say ENV-ERROR')
}

/** Values with characters outside ASCII, which an error message may be tempted to repeat. */
function strange(role: Role, name: string): Record<string, string> {
  return role === 'client'
    ? { TOR_PT_CLIENT_TRANSPORTS: `${UNKNOWN_NAME}é,${name}`, TOR_PT_PROXY: 'socks5://hôte.example:1é' }
    : { TOR_PT_SERVER_BINDADDR: `${name}-hôte.example:é` }
}
