/**
 * A file descriptor that lines are written to: whole and at once while the PT starts, and never in the way of traffic
 * afterwards. Section "Pluggable Transport To Parent Process Communication" (LINE-1).
 *
 *     start ── write = writeSync, waits for a slow parent ── release() ── write = queue of 64 KiB, then drop and count
 *
 * A parent that hangs up (EPIPE) ends the writing and nothing else: whether it is alive is said by stdin and its process id.
 */
import { fstatSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { sleepSync } from '../io/wait/sleep.ts'

/** What may wait for a parent that does not read, in bytes. */
const QUEUE_LIMIT = 64 * 1024
/** How long a start-up line waits for a parent that does not read, in ms, and how often it tries. */
const BLOCKED_LIMIT = 5_000
const BLOCKED_PAUSE = 5

export interface LineOutput {
  /** True once a write has found that there is no reader any more (EPIPE). */
  readonly unread: boolean
  /** Writes a line that holds its NL. Never throws. */
  write(line: string): void
  /** From here on writing never waits: a pipe or socket gets a bounded queue. Files and terminals stay as they were. */
  release(): void
  /** Writes what still waits, for at most `ms` milliseconds; nothing is written afterwards. */
  close(ms: number): Promise<void>
}

/** `fd` as a LineOutput. `droppedLine` words the line that follows `count` dropped ones. */
export function openLineOutput(fd: number, droppedLine: (count: number) => string): LineOutput {
  let open = true
  let unread = false
  let dropped = 0
  let queue: Socket | undefined
  const sayDropped = (): void => {
    const count = dropped
    dropped = 0
    if (count > 0) queue?.write(droppedLine(count))
  }
  // Not on 'drain': it comes only after a high-water mark, which is above our limit on some versions of Node.
  const written = (): void => {
    if (queue?.writableLength === 0) sayDropped()
  }
  const fail = (error: NodeJS.ErrnoException): void => {
    open = false
    unread ||= error.code === 'EPIPE'
  }
  return {
    get unread() {
      return unread
    },
    write(line) {
      if (!open) return
      if (queue === undefined) writeWhole(fd, Buffer.from(line), fail)
      else if (queue.writableLength + line.length > QUEUE_LIMIT) dropped++
      else queue.write(line, written)
    },
    release() {
      if (!open || queue !== undefined || !isPipe(fd)) return
      queue = new Socket({ fd, readable: false, writable: true })
      queue.on('error', fail)
      queue.unref()
    },
    async close(ms) {
      open = false
      if (queue === undefined || queue.destroyed || queue.writableLength === 0) return
      sayDropped()
      await ended(queue, ms)
    },
  }
}

function ended(queue: Socket, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      // What is left must not keep the process alive.
      queue.destroy()
      resolve()
    }, ms)
    queue.ref()
    queue.once('close', resolve).end(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

function isPipe(fd: number): boolean {
  const stat = fstatSync(fd)
  return stat.isFIFO() || stat.isSocket()
}

/** A half-written line cannot be followed by another, so giving up, which `fail` is told of, is for good. */
function writeWhole(fd: number, bytes: Buffer, fail: (error: NodeJS.ErrnoException) => void): void {
  const giveUp = Date.now() + BLOCKED_LIMIT
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at)
    } catch (caught) {
      const error = caught as NodeJS.ErrnoException
      if (error.code !== 'EAGAIN' || Date.now() > giveUp) return fail(error)
      // The pipe is full, and non-blocking because Node or another process that shares it made it so.
      sleepSync(BLOCKED_PAUSE)
    }
  }
}
