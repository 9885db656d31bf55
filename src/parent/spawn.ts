/**
 * The sub-process: started with exactly the given environment and three pipes, all of them drained to the end.
 *
 *     stdin   held open, never written to; its closing asks the PT to end
 *     stdout  lines of the protocol, each with a limit
 *     stderr  free text
 */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { LineSplitter } from '../ipc/index.ts'
import type { Command } from './command.ts'
import { cannotStart } from './command.ts'
import type { Exit } from './events.ts'
import { hasMembers, signalGroup } from './group.ts'
import { LastWords } from './last-words.ts'

/** How long the pipes of an ended process are read on; a program that it left behind may hold them open for ever. */
const DRAIN_TIME = 500

export interface Output {
  /** One line of stdout, without NL. */
  line(text: string): void
  /** stdout can be read no further, as a line is over the limit (PT_LINE_TOO_LONG). */
  fault(error: Error): void
  stderr(line: string): void
  /** stdout has ended: nothing more will be said. */
  end(): void
}

export interface Child {
  readonly pid: number
  /** Resolves when the program is gone and what it wrote has been read. Never rejects. */
  readonly exited: Promise<Exit>
  /** Resolves as soon as the program is gone. Never rejects. */
  readonly gone: Promise<void>
  /** True while other processes of its group run, such as the PT behind a wrapper script that has ended. */
  readonly hasOffspring: boolean
  readonly lastWords: LastWords
  /** What followed the last NL on stdout. */
  readonly cutOff: string
  closeStdin(): void
  /** Asks for no more connections to be accepted (SIGINT). False on Windows, which has no way to ask for it. */
  interrupt(): boolean
  /** Sends a signal to the program and all of its process group; on Windows both end the program at once. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void
  /** Gives up a program that cannot be ended, so that it does not keep this process alive. */
  leave(): void
}

/** Starts the program. Rejects with PT_EXEC if the system cannot. */
export async function spawnPt(command: Command, env: Record<string, string>, output: Output): Promise<Child> {
  try {
    // A terminal's Ctrl-C goes to all of its process group. It is the application that is asked to end, and the PT has to
    // carry what that still wants to finish; on Windows it would get a window of its own.
    const detached = process.platform !== 'win32'
    const child = spawn(command.program, command.args, { env, stdio: 'pipe', windowsHide: true, detached })
    const started = once(child, 'spawn')
    let asked = false
    child.on('error', () => undefined)
    // After a program that ends by itself nothing asks its offspring to end, and the offspring may hold a server's port.
    child.once('exit', () => {
      if (!asked) signalGroup(child.pid!, 'SIGKILL')
    })
    // Without a process there may be no pipes either (EMFILE); this rejects with the system's error.
    if (child.pid === undefined) await started
    // Lines may come with the very next event, so the readers are attached before the start is awaited.
    const exited = exitOf(child)
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    const lastWords = drainStderr(child.stderr, output)
    const splitter = readStdout(child.stdout, output)
    child.stdin.on('error', () => undefined)
    await started
    return {
      pid: child.pid!,
      exited,
      gone,
      lastWords,
      get cutOff() {
        return splitter.rest
      },
      get hasOffspring() {
        return hasMembers(child.pid!)
      },
      closeStdin: () => {
        asked = true
        child.stdin.destroy()
      },
      interrupt: () => {
        if (process.platform === 'win32') return false
        asked = true
        signalGroup(child.pid!, 'SIGINT')
        return true
      },
      kill: (signal) => {
        asked = true
        signalGroup(child.pid!, signal)
      },
      leave: () => {
        child.stdout.destroy()
        child.stderr.destroy()
        child.unref()
      },
    }
  } catch (error) {
    throw cannotStart(command, error)
  }
}

function readStdout(stdout: Readable, output: Output): LineSplitter {
  const splitter = new LineSplitter()
  const read = (chunk: Buffer): void => {
    try {
      for (const line of splitter.push(chunk)) output.line(line)
    } catch (error) {
      stdout.off('data', read).resume()
      output.fault(error as Error)
    }
  }
  stdout
    .on('data', read)
    .on('error', () => undefined)
    .once('end', () => output.end())
  return splitter
}

function drainStderr(stderr: Readable, output: Output): LastWords {
  const lastWords = new LastWords()
  stderr
    .on('data', (chunk: Buffer) => {
      for (const line of lastWords.push(chunk)) output.stderr(line)
    })
    .on('error', () => undefined)
  return lastWords
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      const cut = (): void => {
        child.stdout?.destroy()
        child.stderr?.destroy()
      }
      // After a busy loop the timer comes before what waits in the pipes; one more turn reads that.
      const timer = setTimeout(() => setImmediate(cut), DRAIN_TIME)
      child.once('close', () => {
        clearTimeout(timer)
        child.stdin?.destroy()
        resolve({ code, signal })
      })
    })
  })
}
