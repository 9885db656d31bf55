/**
 * The destination of a PT server's connections: an address that the application names, or an Extended ORPort that is served
 * for it here, with its cookie in the state directory (EXT-3).
 */
import { randomBytes } from 'node:crypto'
import { isPtError, PtError } from '../error.ts'
import type { ExtOrPortConnection, ExtOrPortServer } from '../extor/index.ts'
import { readCookieFile, serveExtOrPort, writeCookieFile } from '../extor/index.ts'
import type { Destination } from '../ipc/index.ts'
import type { CookieHome } from './cookie-home.ts'
import { homeIn, temporaryHome } from './cookie-home.ts'

/**
 * One connection of a PT client, decoded: its transport and the address of its client, as the PT says them. What the
 * function throws is an uncaught exception of the process, and ends that connection alone.
 */
export type OnConnection = (connection: ExtOrPortConnection) => void

/** A destination for as long as it is needed. */
export interface OpenDestination {
  readonly destination: Destination
  /** Ends every connection and leaves no file behind. */
  close(): Promise<void>
}

interface DestinationOptions {
  readonly stateDir: string
  readonly destination?: Destination
  readonly onConnection?: OnConnection
}

/** How often the cookie file is looked at, in milliseconds. A PT reads it for each connection. */
const LOOK = 2_000

/** Throws PT_ENV if there is no destination, or if there are two. */
export async function openDestination({
  stateDir,
  destination,
  onConnection,
}: DestinationOptions): Promise<OpenDestination> {
  if ((destination === undefined) === (onConnection === undefined)) {
    throw new PtError('PT_ENV', 'exactly one of destination and onConnection says where the decoded traffic goes')
  }
  if (destination !== undefined) return { destination, close: () => Promise.resolve() }
  try {
    return await serve(await homeIn(stateDir), onConnection!)
  } catch (error) {
    if (!isPtError(error, 'PT_EXTOR') && (error as NodeJS.ErrnoException).syscall === 'listen') throw error
    return await serve(await temporaryHome(), onConnection!)
  }
}

async function serve(home: CookieHome, onConnection: OnConnection): Promise<OpenDestination> {
  const cookie = randomBytes(32)
  let server: ExtOrPortServer
  try {
    server = await serveExtOrPort({ cookieFile: home.file, cookie, onConnection })
  } catch (error) {
    await home.remove()
    throw error
  }
  const stopKeeping = keep(home, cookie)
  const close = async (): Promise<void> => {
    await stopKeeping()
    await server.close()
    await home.remove()
  }
  return { destination: { type: 'extendedOrPort', address: server.address, cookieFile: home.file }, close }
}

/** Writes the cookie again whenever it is gone, so that a removed file costs some seconds and not the server. */
function keep(home: CookieHome, cookie: Buffer): () => Promise<void> {
  let turn = Promise.resolve()
  const restore = async (): Promise<void> => {
    const there = await readCookieFile(home.file).catch(() => undefined)
    if (there?.equals(cookie) === true) return
    await home.make()
    await writeCookieFile(home.file, cookie)
  }
  // What fails now, on a full disk, is tried again.
  const timer = setInterval(() => void (turn = turn.then(restore).catch(() => undefined)), LOOK)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await turn
  }
}
