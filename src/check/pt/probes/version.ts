/** Probes of the version negotiation. Sections "Workflow" and "Common Messages". */
import { isVersion } from '../../../ipc/index.ts'
import { answerTo, END_TIME, plainStart } from '../evidence.ts'
import type { Launched } from '../../lab/launch.ts'
import type { Probe } from '../../probe.ts'
import { cannotTell } from '../../probe.ts'
import type { PtLab } from '../pt-lab.ts'
import type { Role } from '../../verdict.ts'

const METHOD = /^[CS]METHOD/

/** Lists that hold version 1 among others. */
const lists = ['1,2', '3,2,1', '1,1a,2b,this_is_a_valid_ver', '!"#~,1']

async function otherVersion(lab: PtLab, role: Role): Promise<Launched> {
  return await lab.evidence(`other version ${role}`, async (lab) => {
    const pt = await lab.launch(role, { TOR_PT_MANAGED_TRANSPORT_VER: '2,10' })
    await pt.until(/^(?:VERSION|[A-Z]+-ERROR|[CS]METHODS DONE)/, lab.patience)
    await pt.ends(pt.lines.some((line) => line.startsWith('VERSION-ERROR')) ? END_TIME : 0)
    return pt
  })
}

export const versionProbes = (role: Role): readonly Probe<PtLab>[] => [
  {
    ids: ['ENV-2'],
    role,
    title: 'it takes every list that holds its version',
    async run(lab) {
      for (const list of lists) {
        const pt = await lab.launch(role, { TOR_PT_MANAGED_TRANSPORT_VER: list })
        const line = await pt.until(/^(?:VERSION|[A-Z]+-ERROR)/, lab.patience)
        lab.judge(line?.startsWith('VERSION ') === true, pt, 'VERSION with the version that both speak')
      }
    },
  },
  {
    ids: ['ENV-3'],
    role,
    title: 'the version that it chooses is a word of printable ASCII',
    async run(lab) {
      const pt = await plainStart(lab, role)
      const line = pt.lines.find((line) => line.startsWith('VERSION ')) ?? cannotTell('it said no VERSION')
      lab.judge(isVersion(line.slice('VERSION '.length)), pt, 'VERSION and one word without a comma')
    },
  },
  {
    ids: ['VER-1'],
    role,
    title: 'VERSION comes before everything about transports',
    async run(lab) {
      const pt = await plainStart(lab, role)
      const first = pt.lines.find((line) => /^(?:VERSION|PROXY|[CS]METHOD)/.test(line))
      lab.judge(first?.startsWith('VERSION ') === true, pt, 'VERSION before the first line about transports')
    },
  },
  {
    ids: ['VER-2'],
    role,
    title: 'it refuses versions that it does not speak',
    async run(lab) {
      const pt = await otherVersion(lab, role)
      lab.judge(pt.lines.includes('VERSION-ERROR no-version'), pt, 'VERSION-ERROR no-version')
    },
  },
  {
    ids: ['VER-3'],
    role,
    title: 'it ends after VERSION-ERROR',
    async run(lab) {
      const pt = await otherVersion(lab, role)
      const at = pt.lines.findIndex((line) => line.startsWith('VERSION-ERROR'))
      if (at === -1) cannotTell('it said no VERSION-ERROR')
      lab.judge(pt.exit !== undefined, pt, 'its end within 5 s')
      lab.judge(!pt.lines.slice(at).some((line) => METHOD.test(line)), pt, 'no transport after VERSION-ERROR')
    },
  },
  {
    ids: ['VER-4'],
    role,
    title: 'the version of this specification is 1',
    async run(lab) {
      const pt = await plainStart(lab, role)
      if (!pt.lines.some((line) => line.startsWith('VERSION '))) cannotTell('it said no VERSION')
      lab.judge(pt.lines.includes('VERSION 1'), pt, 'VERSION 1')
    },
  },
  {
    ids: ['TRAP-24'],
    role,
    title: 'VERSION comes once, and PROXY DONE only if there is a proxy',
    async run(lab) {
      const pt = await plainStart(lab, role)
      const count = (pattern: RegExp): number => pt.lines.filter((line) => pattern.test(line)).length
      lab.judge(count(/^VERSION /) <= 1, pt, 'VERSION once')
      lab.judge(count(/^PROXY/) === 0, pt, 'no PROXY DONE, as there is no proxy')
      if (role === 'server') return
      const proxied = await answerTo(lab, 'socks5://127.0.0.1:1')
      const answers = proxied.lines.filter((line) => line === 'PROXY DONE').length
      lab.judge(answers <= 1, proxied, 'PROXY DONE once')
    },
  },
  {
    ids: ['FLOW-2'],
    role,
    title: 'a wrong version is told, whatever else is wrong',
    async run(lab) {
      const wrong = {
        TOR_PT_MANAGED_TRANSPORT_VER: '2',
        TOR_PT_STATE_LOCATION: undefined,
        ...(role === 'client' ? { TOR_PT_PROXY: 'nonsense' } : { TOR_PT_ORPORT: 'nonsense' }),
      }
      const pt = await lab.launch(role, wrong)
      await pt.until(/^(?:VERSION|[A-Z]+-ERROR|[CS]METHODS DONE)/, lab.patience)
      const first = pt.lines.find((line) => !/^(?:LOG|STATUS) /.test(line))
      lab.judge(first?.startsWith('VERSION-ERROR') === true, pt, 'VERSION-ERROR, and no other complaint before it')
    },
  },
]
