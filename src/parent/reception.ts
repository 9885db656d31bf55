/**
 * Where a PT server's connections go: to an address that the application names, or to an Extended ORPort that is served
 * for it here, with its cookie in a private folder (EXT-3).
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PtError } from '../error.ts'
import type { ExtOrPortConnection } from '../extor/index.ts'
import { serveExtOrPort } from '../extor/index.ts'
import type { Destination } from '../ipc/index.ts'

/** One connection of a PT client, decoded: its transport and the address of its client, as the PT says them. */
export type OnConnection = (connection: ExtOrPortConnection) => void

export interface Reception {
  readonly destination: Destination
  /** Ends every connection and leaves no file behind. */
  close(): Promise<void>
}

interface ReceptionOptions {
  readonly destination?: Destination
  readonly onConnection?: OnConnection
}

/** Throws PT_ENV where there is no destination, or two. */
export async function receive({ destination, onConnection }: ReceptionOptions): Promise<Reception> {
  if ((destination === undefined) === (onConnection === undefined)) {
    throw new PtError('PT_ENV', 'exactly one of destination and onConnection says where the decoded traffic goes')
  }
  if (destination !== undefined) return { destination, close: () => Promise.resolve() }
  // mkdtemp makes folders with mode 0700, so the cookie is nobody else's from the start.
  const folder = await mkdtemp(join(tmpdir(), 'postern-'))
  const removeFolder = (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    const cookieFile = join(folder, 'extended_orport_auth_cookie')
    const server = await serveExtOrPort({ cookieFile, onConnection: onConnection! })
    const close = async (): Promise<void> => {
      await server.close()
      await removeFolder()
    }
    return { destination: { type: 'extendedOrPort', address: server.address, cookieFile }, close }
  } catch (error) {
    await removeFolder()
    throw error
  }
}
