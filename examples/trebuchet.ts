/**
 * trebuchet, the draft's example of a method that needs a moment and may fail: it throws the payload in stones of random
 * size. Whoever looks sees the payload in them. It protects nobody.
 *
 *     CMETHOD-ERROR trebuchet no rocks available      where the file trebuchet_rocks in the state directory holds 0
 *     SMETHOD-ERROR trebuchet no cows available       with the server's option cows=0
 *     STATUS TRANSPORT=trebuchet PERCENT=50
 *
 *     stone    <size of load and padding, 2> <size of the load, 2> <load> <padding>
 *
 *     client → server   a stone without a load, to find the range
 *     server → client   another
 */
import { randomBytes, randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { framed, readExactly } from 'postern/io'
import type { Codec, Transport } from 'postern/transport'

const HEADER_SIZE = 4
const LOAD_LIMIT = 1400
const PADDING_LIMIT = 200

function stone(load: Uint8Array): Buffer {
  const padding = randomInt(PADDING_LIMIT + 1)
  const header = Buffer.alloc(HEADER_SIZE)
  header.writeUInt16BE(load.length + padding, 0)
  header.writeUInt16BE(load.length, 2)
  return Buffer.concat([header, load, randomBytes(padding)])
}

/** The sizes that a header names. Throws for a stone that no trebuchet throws. */
function weigh(header: Buffer): { size: number; load: number } {
  const size = header.readUInt16BE(0)
  const load = header.readUInt16BE(2)
  if (load > LOAD_LIMIT || load > size || size - load > PADDING_LIMIT) throw new Error('a stone of impossible size')
  return { size, load }
}

function codec(): Codec {
  let held: Buffer = Buffer.alloc(0)
  return {
    encode(payload) {
      const stones: Buffer[] = []
      for (let at = 0; at < payload.length;) {
        const load = payload.subarray(at, at + randomInt(1, LOAD_LIMIT + 1))
        stones.push(stone(load))
        at += load.length
      }
      return Buffer.concat(stones)
    },
    *decode(chunk) {
      held = Buffer.concat([held, chunk])
      while (held.length >= HEADER_SIZE) {
        const { size, load } = weigh(held)
        if (held.length < HEADER_SIZE + size) return
        yield held.subarray(HEADER_SIZE, HEADER_SIZE + load)
        held = held.subarray(HEADER_SIZE + size)
      }
    },
    end() {
      if (held.length > 0) throw new Error('the last stone did not arrive whole')
    },
  }
}

async function catchStone(conn: Duplex, signal: AbortSignal): Promise<void> {
  const { size } = weigh(await readExactly(conn, HEADER_SIZE, signal))
  await readExactly(conn, size, signal)
}

async function hasRocks(stateDir: string): Promise<boolean> {
  const rocks = await readFile(join(stateDir, 'trebuchet_rocks'), 'utf8').catch(() => 'plenty')
  return rocks.trim() !== '0'
}

export const trebuchet: Transport = {
  name: 'trebuchet',
  async client({ stateDir }) {
    if (!(await hasRocks(stateDir))) throw new Error('no rocks available')
    return {
      async dial({ target, connect, signal, status }) {
        status({ PERCENT: '0' })
        const conn = await connect(target, signal)
        try {
          status({ PERCENT: '50' })
          conn.write(stone(Buffer.alloc(0)))
          await catchStone(conn, signal)
          status({ PERCENT: '100' })
          return framed(conn, codec())
        } catch (error) {
          conn.destroy()
          throw error
        }
      },
    }
  },
  server({ args }) {
    if (args.get('cows') === '0') throw new Error('no cows available')
    return {
      async accept({ conn, signal }) {
        await catchStone(conn, signal)
        conn.write(stone(Buffer.alloc(0)))
        return framed(conn, codec())
      },
    }
  },
}

export default trebuchet
