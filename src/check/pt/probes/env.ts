/** Probes of the environment that both roles have. Sections "Workflow" and "Common Environment Variables". */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dayOf, failedStarts, plainStart, QUIET } from '../evidence.ts'
import type { Launched } from '../../lab/launch.ts'
import type { Probe } from '../../probe.ts'
import { cannotTell } from '../../probe.ts'
import type { PtLab } from '../pt-lab.ts'
import type { Role } from '../../verdict.ts'

const CLOSING = /^[CS]METHODS DONE/
const ERROR = /^(?:ENV|VERSION|PROXY|CMETHOD|SMETHOD)-ERROR/

function says(pt: Launched, pattern: RegExp): boolean {
  return pt.lines.some((line) => pattern.test(line))
}

/** Launched as client and as server at once. */
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
    // The lines of the other role may come behind.
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
      lab.expect(!both, pt, 'ENV-ERROR, or lines of one role only')
    },
  },
  {
    ids: ['TRAP-18'],
    role,
    title: 'both transport lists are an ENV-ERROR',
    async run(lab) {
      const pt = await bothRoles(lab, role)
      lab.expect(says(pt, /^ENV-ERROR/), pt, 'ENV-ERROR')
    },
  },
  {
    ids: ['FLOW-3'],
    role,
    title: 'a wrong environment is an ENV-ERROR',
    async run(lab) {
      const nothing = await lab.launch(role, { TOR_PT_MANAGED_TRANSPORT_VER: undefined })
      await nothing.until(/-ERROR|DONE/, lab.patience)
      lab.expect(says(nothing, /^(?:ENV|VERSION)-ERROR/), nothing, 'ENV-ERROR')
      for (const { pt, at } of await failedStarts(lab, role)) lab.expect(at !== -1, pt, 'ENV-ERROR')
      const folders = await lab.folders()
      const file = join(folders.folder, 'file')
      await writeFile(file, '')
      const state = await lab.launch(role, { TOR_PT_STATE_LOCATION: join(file, 'state') }, folders)
      await state.settled(lab.patience)
      const told = says(state, ERROR) || says(state, CLOSING)
      lab.expect(told, state, 'ENV-ERROR, or a start as ever, as no directory can be made below a file')
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
      lab.expect(says(pt, /^[CS]METHOD /), pt, 'a start as ever')
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
        lab.expect(says(pt, /^ENV-ERROR/), pt, 'ENV-ERROR')
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
      lab.expect(astray.length === 0, pt, expected, { sent, seen })
    },
  },
  {
    ids: ['NAME-1'],
    role,
    title: 'names are C identifiers',
    async run(lab) {
      const pt = await plainStart(lab, role)
      const names = pt.lines.flatMap((line) => /^[CS]METHOD(?:-ERROR)?(?: (\S*)|$)/.exec(line)?.[1] ?? [])
      const good = names.every((name) => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name))
      lab.expect(good, pt, 'a C identifier in each line about a transport')
    },
  },
  {
    ids: ['NAME-2'],
    role,
    title: 'a transport is announced once',
    async run(lab) {
      const pt = await plainStart(lab, role)
      const names = pt.lines.flatMap((line) => /^[CS]METHOD (\S+)/.exec(line)?.[1] ?? [])
      lab.expect(new Set(names).size === names.length, pt, 'no name twice')
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
      const times = pt.lines.filter((line) => line.startsWith(`${role === 'client' ? 'C' : 'S'}METHOD ${name} `)).length
      lab.expect(times === 1, pt, 'one line for it')
    },
  },
]
