/** Programs that are run to their end. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'

interface Ended {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program with `input` on its stdin, and with no proxy or other setting of this environment but PATH. */
export async function run(program: string, args: readonly string[], input = ''): Promise<Ended> {
  const child = spawn(program, args, { stdio: 'pipe', env: { PATH: process.env['PATH'] } })
  onTestFinished(() => void child.kill('SIGKILL'))
  const closed = once(child, 'close') as Promise<[number]>
  // A program that has ended reads nothing.
  child.stdin.on('error', () => undefined).end(input)
  const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), closed])
  return { status, stdout, stderr }
}

/** curl's options for a test: silent but for errors, and bounded. */
export const curlOptions: readonly string[] = ['-sS', '--max-time', '15']
