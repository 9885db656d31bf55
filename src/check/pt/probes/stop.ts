/** Probes of how a PT ends. Sections "Common Environment Variables" and "Shutdown". */
import { spawn } from 'node:child_process'
import { platform } from 'node:os'
import { delay } from '../../../io/wait/deadline.ts'
import { END_TIME, QUIET } from '../evidence.ts'
import type { Exit, Launched } from '../../lab/launch.ts'
import { requireLine } from '../../lab/launch.ts'
import type { Probe } from '../../probe.ts'
import { cannotTell } from '../../probe.ts'
import type { PtLab } from '../pt-lab.ts'
import type { Role } from '../../verdict.ts'

/** Values that are not exactly 1. */
const otherValues = [undefined, '', '0', 'true']

/** How long a PT is watched that must not end. */
const WATCHED = 700

async function started(lab: PtLab, role: Role, exitOnClose?: string): Promise<Launched> {
  const pt = await lab.launch(role, { TOR_PT_EXIT_ON_STDIN_CLOSE: exitOnClose })
  if (!(await pt.settled(lab.patience)) || pt.exit !== undefined) cannotTell('it did not start')
  // Some install their handlers after DONE; a signal at that very moment is not what is asked here.
  await pt.ends(QUIET)
  return pt
}

/** True if it was ended by a signal that it did not handle. */
function felled(exit: Exit | undefined): boolean {
  return typeof exit === 'string'
}

function described(exit: Exit | undefined): string {
  return exit === undefined ? 'it goes on' : `ended with ${typeof exit === 'number' ? 'status ' : ''}${exit}`
}

const stdinProbes = (role: Role): readonly Probe<PtLab>[] => [
  {
    ids: ['ENV-7'],
    role,
    title: 'a closed stdin does not end it if it was not told so',
    async run(lab) {
      const all = await Promise.all(otherValues.map((value) => started(lab, role, value)))
      for (const pt of all) pt.closeStdin()
      await Promise.all(all.map((pt) => pt.ends(WATCHED)))
      for (const pt of all)
        lab.judge(pt.exit === undefined, pt, 'it goes on', { sent: 'stdin closed', seen: described(pt.exit) })
    },
  },
  {
    ids: ['ENV-8', 'STOP-2'],
    role,
    title: 'a closed stdin ends it if it was told so',
    async run(lab) {
      const pt = await started(lab, role, '1')
      pt.child.stdin?.write('bytes that mean nothing\n')
      const early = await pt.ends(WATCHED)
      lab.judge(early === undefined, pt, 'it goes on', { sent: 'bytes on stdin', seen: described(early) })
      pt.closeStdin()
      const exit = await pt.ends(END_TIME)
      const seen = described(exit)
      lab.judge(exit !== undefined && !felled(exit), pt, 'its end within 5 s', { sent: 'stdin closed', seen })
    },
  },
]

const signalProbes = (role: Role): readonly Probe<PtLab>[] => [
  {
    ids: ['STOP-3'],
    role,
    title: 'SIGTERM ends it gracefully',
    async run(lab) {
      const pt = await started(lab, role)
      pt.child.kill('SIGTERM')
      const exit = await pt.ends(END_TIME)
      const good = exit !== undefined && !felled(exit)
      lab.judge(good, pt, 'its own end within 5 s, not that of a signal it did not handle', {
        sent: 'SIGTERM',
        seen: described(exit),
      })
    },
  },
  {
    ids: ['TRAP-10'],
    role,
    title: 'SIGINT ends it gracefully',
    async run(lab) {
      const pt = await started(lab, role)
      pt.child.kill('SIGINT')
      const exit = await pt.ends(END_TIME)
      lab.judge(exit !== undefined && !felled(exit), pt, 'its own end within 5 s', {
        sent: 'SIGINT',
        seen: described(exit),
      })
    },
  },
  {
    ids: ['TRAP-16'],
    role,
    title: 'the exit status tells a graceful end from an error',
    async run(lab) {
      const pt = await started(lab, role)
      pt.child.kill('SIGTERM')
      const exit = await pt.ends(END_TIME)
      lab.judge(exit === 0, pt, 'status 0', { sent: 'SIGTERM', seen: described(exit) })
      const bad = await lab.launch(role, { TOR_PT_MANAGED_TRANSPORT_VER: '2' })
      const status = await bad.ends(END_TIME)
      lab.judge(status !== undefined && status !== 0, bad, 'a status that is not 0', { seen: described(status) })
    },
  },
  {
    ids: ['FLOW-7'],
    role,
    title: 'it ends when its parent wants it to, whatever is still open',
    async run(lab) {
      const pt = await lab.launch(role, { TOR_PT_EXIT_ON_STDIN_CLOSE: '1' })
      const line = await requireLine(pt, /^[CS]METHOD /, lab.patience)
      const port = Number(/:(\d+)(?: |$)/.exec(line)?.[1])
      await lab.open({ host: '127.0.0.1', port })
      pt.closeStdin()
      await pt.ends(2_000)
      if (pt.exit === undefined) pt.child.kill('SIGTERM')
      const exit = await pt.ends(END_TIME)
      const sent = 'a connection that says nothing; stdin closed, and SIGTERM after 2 s'
      lab.judge(exit !== undefined, pt, 'its end within 5 s', { sent, seen: described(exit) })
    },
  },
]

const deathProbes = (role: Role): readonly Probe<PtLab>[] => [
  {
    ids: ['STOP-4'],
    role,
    title: 'it ends when its parent dies',
    async run(lab) {
      if (platform() === 'win32') cannotTell('processes have other parents on Windows')
      // A shell in between is the parent; stdin is ours, so it stays open.
      const script = 'exec 3<&0; "$@" <&3 3<&- & echo "$!" >&2; wait'
      const pt = await lab.launch(role, {}, undefined, ['/bin/sh', '-c', script, 'sh'])
      const line = await requireLine(pt, /^[CS]METHOD /, lab.patience)
      await pt.settled(lab.patience)
      await pt.ends(QUIET)
      const pid = /^\d+/m.exec(pt.stderr)?.[0]
      lab.closes(() => void (pid === undefined ? undefined : spawn('kill', ['-9', pid], { stdio: 'ignore' })))
      pt.child.kill('SIGKILL')
      const port = Number(/:(\d+)(?: |$)/.exec(line)?.[1])
      lab.strain.watch(Number(pid))
      const clock = lab.strain.clock(END_TIME)
      while (clock.left() > 0) {
        const wire = await lab.open({ host: '127.0.0.1', port })
        if (wire === undefined)
          return lab.judge(true, pt, 'its end within 5 s', { sent: 'the parent killed', seen: 'its end' })
        wire.socket.destroy()
        await delay(100)
      }
      const sent = 'the parent killed, stdin still open'
      lab.judge(false, pt, 'its end within 5 s', { sent, seen: 'its listener still accepts' })
    },
  },
]

export const stopProbes = (role: Role): readonly Probe<PtLab>[] => [
  ...stdinProbes(role),
  ...signalProbes(role),
  ...deathProbes(role),
]
