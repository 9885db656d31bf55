/**
 * What a probe of a parent works with: the parent under test, started with a PT that is ours.
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Environment } from '../../ipc/index.ts'
import type { Shared } from '../lab/lab.ts'
import { Lab } from '../lab/lab.ts'
import type { Launched } from '../lab/launch.ts'
import { cannotTell } from '../probe.ts'
import { PlayedPt } from './played-pt.ts'

export interface ParentSubject extends Shared {
  /** The command; `{pt}` in it is the PT that it is to launch, `{dir}` an empty folder. */
  readonly command: readonly string[]
  readonly env: Environment
  /** Node, and the program that stands for the PT. */
  readonly node: string
  readonly standIn: string
  readonly patience: number
  /** How the parent is told to end. */
  readonly stop: 'SIGTERM' | 'SIGINT'
}

export interface Session {
  readonly parent: Launched
  readonly pt: PlayedPt
}

export class ParentLab extends Lab<ParentLab> {
  readonly subject: ParentSubject

  constructor(subject: ParentSubject) {
    super(subject)
    this.subject = subject
  }

  protected another(): ParentLab {
    return new ParentLab(this.subject)
  }

  /** Starts the parent and waits until it has launched its PT. `env` comes on top of its environment. */
  async session(env: Readonly<Record<string, string>> = {}): Promise<Session> {
    const { subject } = this
    const folder = await this.folder()
    const control = await this.listen()
    const [pt, dir] = [join(folder, 'pt'), join(folder, 'dir')]
    await mkdir(dir, { mode: 0o700 })
    await writeFile(pt, `#!/bin/sh\nexec '${subject.node}' '${subject.standIn}' ${control.address.port} "$@"\n`)
    await chmod(pt, 0o755)
    const command = subject.command.map((word) => word.replaceAll('{pt}', pt).replaceAll('{dir}', dir))
    const inherited = Object.entries({ ...subject.env, HOME: dir, ...env })
    const all = Object.fromEntries(inherited.filter((entry): entry is [string, string] => entry[1] !== undefined))
    const parent = this.start({ command, env: all, cwd: dir, sent: 'the parent started' })
    const wire = await control.wire(0, subject.patience)
    const played = wire === undefined ? undefined : await PlayedPt.behind(wire, this.strain)
    if (played === undefined) cannotTell(`the parent launched no PT: ${parent.seen.split('\n').join(' | ')}`)
    return { parent, pt: played }
  }
}
