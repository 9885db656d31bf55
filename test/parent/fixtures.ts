/** What the tests of the parent share: programs of test/fixtures/pt, SOCKS ports for them, and a memory for events. */
import type { Socket } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { readExactly } from 'postern/io'
import type { PtEvent } from 'postern/parent'
import type { SocksRequest } from 'postern/socks'
import { acceptSocks } from 'postern/socks'
import * as loopback from '../loopback.ts'
import { root } from '../support.ts'

/** The command of a small program that stands for a PT. */
export function fixture(name: string, ...args: string[]): string[] {
  return [process.execPath, join(root, 'test/fixtures/pt', `${name}.mjs`), ...args]
}

/** The same behind a script that waits for it, and that tells its process id in a LOG line. */
export function wrapped(name: string, ...args: string[]): string[] {
  return ['/bin/sh', '-c', '"$@" & echo "LOG SEVERITY=info MESSAGE=$!"; wait', 'sh', ...fixture(name, ...args)]
}

/** A client's lines for transport `a` behind a SOCKS port. */
export function sayClient(port: number, protocol = 'socks5'): string[] {
  return ['VERSION 1', `CMETHOD a ${protocol} 127.0.0.1:${port}`, 'CMETHODS DONE']
}

/** A TCP server until the test has finished; gives its port. */
export async function serve(handle: (conn: Socket) => void): Promise<number> {
  return (await loopback.serve(handle)).port
}

/** A real SOCKS server that grants every request and then echoes what comes. */
export async function serveSocks(requests: SocksRequest[] = []): Promise<number> {
  return await serve((conn) => {
    void acceptSocks(conn).then((request) => {
      requests.push(request)
      request.grant()
      conn.pipe(conn)
    })
  })
}

/** What comes back. */
export async function echoed(conn: Duplex, text: string): Promise<string> {
  conn.write(text)
  return String(await readExactly(conn, Buffer.byteLength(text)))
}

type Of<T extends PtEvent['type']> = Extract<PtEvent, { type: T }>

/** Keeps every event and lets a test wait for the next of a type. */
export class Events {
  readonly all: PtEvent[] = []
  readonly #waiting: { type: string; resolve: (event: PtEvent) => void }[] = []

  readonly onEvent = (event: PtEvent): void => {
    this.all.push(event)
    const ready = this.#waiting.filter(({ type }) => type === event.type)
    for (const waiter of ready) {
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
      waiter.resolve(event)
    }
  }

  of<T extends PtEvent['type']>(type: T): Of<T>[] {
    return this.all.filter((event): event is Of<T> => event.type === type)
  }

  next<T extends PtEvent['type']>(type: T): Promise<Of<T>> {
    return new Promise((resolve) => this.#waiting.push({ type, resolve: resolve as (event: PtEvent) => void }))
  }

  /** The process behind the script of `wrapped`, in the last launch. */
  get wrappedPid(): number {
    return Number(this.of('log').at(-1)!.message)
  }

  /** The process of the last launch. */
  get pid(): number {
    return this.of('launching').at(-1)!.pid
  }
}
