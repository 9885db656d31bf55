/** Probes of the environment that both roles have. Sections "Workflow" and "Common Environment Variables". */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hasNamespace, withReadOnly } from '../namespaces.ts'
import { announcements, dayOf, failedStarts, plainStart, QUIET } from '../evidence.ts'
import type { Launched } from '../../lab/launch.ts'
import type { Probe } from '../../probe.ts'
import { cannotTell } from '../../probe.ts'
import type { PtLab } from '../pt-lab.ts'
import type { Role } from '../../verdict.ts'

/** Matches the line of a transport, or the line that says that there is none. */
const STARTED = /^[CS]METHODS? /
const ERROR = /^(?:ENV|VERSION|PROXY|CMETHOD|SMETHOD)-ERROR/

function says(pt: Launched, pattern: RegExp): boolean {
  return pt.lines.some((line) => pattern.test(line))
}

/** Launches the program as client and as server at once. */
async function bothRoles(lab: PtLab, role: Role): Promise<Launched> {
  return await lab.evidence(`both roles of ${role}`, async (lab) => {
    const name = lab.transport(role)
    const other =
      role === 'client'
        ? {
            TOR_PT_SERVER_TRANSPORTS: name,
            TOR_PT_SERVER_BINDADDR: `${name}-127.0.0.1:0`,
            TOR_PT_ORPORT: '127.0.0.1:9',
          }
        : { TOR_PT_CLIENT_TRANSPORTS: name }
    const pt = await lab.launch(role, other)
    await pt.settled(lab.patience)
    // The lines of the other role may come after those.
    await pt.ends(QUIET)
    return pt
  })
}

export const envProbes = (role: Role): readonly Probe<PtLab>[] => [
  {
    ids: ['ARCH-1'],
    role,
    title: 'it is never client and server at once',
    async run(lab) {
      const pt = await bothRoles(lab, role)
      const both = says(pt, /^CMETHOD/) && says(pt, /^SMETHOD/)
      lab.judge(!both, pt, 'ENV-ERROR, or lines of one role only')
    },
  },
  {
    ids: ['TRAP-18'],
    role,
    title: 'both transport lists are an ENV-ERROR',
    async run(lab) {
      const pt = await bothRoles(lab, role)
      lab.judge(says(pt, /^ENV-ERROR/), pt, 'ENV-ERROR')
    },
  },
  {
    ids: ['FLOW-3'],
    role,
    title: 'a wrong environment is an ENV-ERROR',
    async run(lab) {
      for (const list of [undefined, '']) {
        const nothing = await lab.launch(role, { TOR_PT_MANAGED_TRANSPORT_VER: list })
        await nothing.until(/-ERROR|DONE/, lab.patience)
        lab.judge(says(nothing, /^(?:ENV|VERSION)-ERROR/), nothing, 'ENV-ERROR')
      }
      for (const { pt, at } of await failedStarts(lab, role)) lab.judge(at !== -1, pt, 'ENV-ERROR')
      const folders = await lab.folders()
      const file = join(folders.folder, 'file')
      await writeFile(file, '')
      const told = async (state: Launched, sent?: string): Promise<void> => {
        await state.settled(lab.patience)
        const expected = 'ENV-ERROR, or a start as ever, as nothing can be written there'
        lab.judge(says(state, ERROR) || says(state, STARTED), state, expected, sent === undefined ? {} : { sent })
      }
      for (const stateDir of [join(file, 'state'), file]) {
        const state = await lab.launch(role, { TOR_PT_STATE_LOCATION: stateDir }, folders)
        await told(state)
      }
      const { stateDir } = folders
      const state = await lab.launch(role, {}, folders, withReadOnly(stateDir))
      await state.settled(lab.patience)
      if (hasNamespace(state)) await told(state, 'its state directory on a read-only file system')
    },
  },
  {
    ids: ['ENV-5'],
    role,
    title: 'a state directory that does not exist is made',
    async run(lab) {
      if (!says(await plainStart(lab, role), /^[CS]METHOD /)) cannotTell('it launches no transport in any case')
      const folders = await lab.folders()
      const stateDir = join(folders.folder, 'not', 'there')
      const pt = await lab.launch(role, { TOR_PT_STATE_LOCATION: stateDir }, folders)
      await pt.settled(lab.patience)
      lab.judge(says(pt, /^[CS]METHOD /), pt, 'a start as ever')
    },
  },
  {
    ids: ['TRAP-15'],
    role,
    title: 'a missing or relative state directory is an ENV-ERROR',
    async run(lab) {
      for (const path of [undefined, 'relative/path']) {
        const pt = await lab.launch(role, { TOR_PT_STATE_LOCATION: path })
        await pt.settled(lab.patience)
        lab.judge(says(pt, /^ENV-ERROR/), pt, 'ENV-ERROR')
      }
    },
  },
  {
    ids: ['ENV-6'],
    role,
    title: 'it writes to its state directory only',
    async run(lab) {
      const { pt, astray, sent } = await dayOf(lab, role)
      const seen = astray.length === 0 ? 'no file elsewhere' : astray.join('\n')
      const expected = 'no file created or open for writing outside, and none in the working directory, HOME or TMPDIR'
      lab.judge(astray.length === 0, pt, expected, { sent, seen })
    },
  },
  {
    ids: ['TRAP-23'],
    role,
    title: 'a variable that is empty is one that is not set',
    async run(lab) {
      const name = role === 'client' ? 'CMETHOD' : 'SMETHOD'
      if (!says(await plainStart(lab, role), new RegExp(`^${name} `)))
        cannotTell('it launches no transport in any case')
      const variables =
        role === 'client'
          ? ['TOR_PT_PROXY']
          : ['TOR_PT_SERVER_BINDADDR', 'TOR_PT_SERVER_TRANSPORT_OPTIONS', 'TOR_PT_AUTH_COOKIE_FILE']
      for (const variable of [...variables, 'TOR_PT_EXIT_ON_STDIN_CLOSE']) {
        const pt = await lab.launch(role, { [variable]: '' })
        await pt.settled(lab.patience)
        lab.judge(says(pt, new RegExp(`^${name} `)), pt, 'a start as ever')
      }
    },
  },
  {
    ids: ['NAME-1'],
    role,
    title: 'names are C identifiers',
    async run(lab) {
      const pt = await plainStart(lab, role)
      const names = pt.lines.flatMap((line) => /^[CS]METHOD(?:-ERROR)?(?: +(\S*)|$)/.exec(line)?.[1] ?? [])
      const good = names.every((name) => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name))
      lab.judge(good, pt, 'a C identifier in each line about a transport')
    },
  },
  {
    ids: ['NAME-2'],
    role,
    title: 'a transport is announced once',
    async run(lab) {
      const pt = await plainStart(lab, role)
      const names = pt.lines.flatMap((line) => /^[CS]METHOD (\S+)/.exec(line)?.[1] ?? [])
      lab.judge(new Set(names).size === names.length, pt, 'no name twice')
    },
  },
  {
    ids: ['TRAP-19'],
    role,
    title: 'a name that stands twice in the list is launched once',
    async run(lab) {
      const name = lab.transport(role)
      const list = role === 'client' ? 'TOR_PT_CLIENT_TRANSPORTS' : 'TOR_PT_SERVER_TRANSPORTS'
      const pt = await lab.launch(role, { [list]: `${name},${name}` })
      await pt.settled(lab.patience)
      const times = announcements(pt, role, name).length
      lab.judge(times === 1, pt, 'one line for it')
    },
  },
]
