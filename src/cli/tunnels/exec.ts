/** The program of a PT: our own for --isolate, or another one for --exec. */
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { builtIns } from '../../transports/index.ts'

const main = fileURLToPath(new URL('../main.js', import.meta.url))

const ownPt: readonly string[] = [process.execPath, main, 'pt']

interface Placed {
  readonly exec: readonly string[] | undefined
  readonly isolate: boolean
  readonly halfOpen: boolean
  /** The path of a profile. */
  readonly profile?: string | undefined
}

/** The command of a tunnel's PT; undefined if the transport runs in this process. */
export function commandOf({ exec, isolate, halfOpen, profile }: Placed): readonly string[] | undefined {
  if (exec !== undefined || !isolate) return exec
  return [...ownPt, ...(halfOpen ? ['--half-open'] : []), ...(profile === undefined ? [] : ['--profile', profile])]
}

/** What another program is not told by itself. */
export const profileOfAnother =
  'it is for the built-in transports; if the program is postern pt, the command has to have --profile FILE itself'

/** `/usr/bin/lyrebird -enableLogging` as a program and its arguments; quotation marks keep spaces together. */
export function splitCommand(text: string): string[] {
  if (isProgram(text)) return [text]
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? '')
}

/** Why this cannot be started, before it is tried; undefined if nothing speaks against it. */
export function whyNotExec(
  [program = '']: readonly string[],
  platform: NodeJS.Platform = process.platform,
): string | undefined {
  if (program === '') return 'it names no program'
  const names = platform === 'win32' ? windowsNames(program) : [program]
  if (isPath(program)) {
    return names.some(isProgram) ? undefined : 'there is no such program, or it may not be executed'
  }
  const folders = (process.env['PATH'] ?? '').split(platform === 'win32' ? ';' : delimiter)
  return folders.some((folder) => names.some((name) => isProgram(join(folder, name))))
    ? undefined
    : 'there is no such program in PATH'
}

/** A program with a folder before its name, such as `/usr/bin/x`, `C:\\tor\\x.exe` or `.\\x.exe`, is not looked for in PATH. */
function isPath(program: string): boolean {
  return program.includes('/') || program.includes(sep) || /^(?:[a-z]:|\.{0,2}\\)/i.test(program)
}

/** Windows runs `obfs4proxy.exe` for obfs4proxy. */
function windowsNames(program: string): string[] {
  return [program, ...(process.env['PATHEXT'] ?? '.COM;.EXE;.BAT;.CMD').split(';').map((end) => `${program}${end}`)]
}

/** Why this transport needs another program, which the option `exec` names; undefined if it is built in. */
export function whyNotBuiltIn(transport: string, exec: string): string | undefined {
  if (builtIns.some(({ name }) => name === transport)) return undefined
  const names = builtIns.map(({ name }) => name).join(', ')
  return `there is no built-in transport ${transport} (there are ${names}); name a program that has it with ${exec}`
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
