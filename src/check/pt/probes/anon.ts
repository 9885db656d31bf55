/** Probes of what is told about clients and bridges. Section "Anonymity Considerations". */
import type { Day } from '../evidence.ts'
import { BRIDGE_HOST, CLIENT_HOST, dayOf, SECRET } from '../evidence.ts'
import type { Probe } from '../../probe.ts'
import type { PtLab } from '../pt-lab.ts'

/** LOG lines and stderr: what a parent writes into its log. STATUS is none, and the draft shows an address in it. */
function logged({ pt }: Day): string[] {
  return [...pt.lines.filter((line) => line.startsWith('LOG ')), ...pt.stderr.split('\n')]
}

function inFiles({ files }: Day, text: string): string[] {
  return [...files].filter(([, content]) => content.includes(text)).map(([path]) => `the file ${path}`)
}

export const anonProbes: readonly Probe<PtLab>[] = [
  {
    ids: ['ANON-1'],
    role: 'server',
    title: 'it logs no address of a client',
    async run(lab) {
      const day = await dayOf(lab, 'server')
      const found = [...logged(day).filter((line) => line.includes(CLIENT_HOST)), ...inFiles(day, CLIENT_HOST)]
      const sent = `connections from ${CLIENT_HOST}: ${day.sent}`
      const seen = found.length === 0 ? 'not mentioned' : found.join('\n')
      lab.judge(found.length === 0, day.pt, `no ${CLIENT_HOST} in LOG, on stderr or in files`, { sent, seen })
    },
  },
  {
    ids: ['ANON-4'],
    role: 'client',
    title: 'it logs neither the address of a bridge nor an argument',
    async run(lab) {
      const day = await dayOf(lab, 'client')
      const leaks = (line: string): boolean => line.includes(BRIDGE_HOST) || line.includes(SECRET)
      const found = [...logged(day).filter(leaks), ...inFiles(day, BRIDGE_HOST), ...inFiles(day, SECRET)]
      const sent = `requests for ${BRIDGE_HOST}, with pad=${SECRET}: ${day.sent}`
      const seen = found.length === 0 ? 'not mentioned' : found.join('\n')
      lab.judge(found.length === 0, day.pt, 'neither in LOG, on stderr or in files', { sent, seen })
    },
  },
]
