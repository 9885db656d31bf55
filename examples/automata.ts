/**
 * automata, the draft's example of transport options: every byte is XORed with the cells of an elementary cellular
 * automaton, which is computed from two small numbers that stand in the bridge line. It protects nobody.
 *
 *     TOR_PT_SERVER_TRANSPORT_OPTIONS=automata:rule=110;automata:depth=3
 *     SMETHOD automata 198.51.100.1:19999 ARGS:rule=110,depth=3
 *
 *     cells      256 in a ring, one of them alive at first: the first towards the server, the last towards the client
 *     rule       bit 4·left + 2·own + right is a cell's next state
 *     keystream  the 32 bytes of all cells after `depth` more steps, again and again
 */
import { framed } from 'postern/io'
import type { Args, Codec, Transport } from 'postern/transport'

const WORDS = 8
const ROW_SIZE = 4 * WORDS
const TOWARDS_SERVER = 0
const TOWARDS_CLIENT = 8 * ROW_SIZE - 1

interface Automaton {
  readonly rule: number
  readonly depth: number
}

/** One step of 32 cells at a time; the first cell is the highest bit of the first word. */
function step(cells: readonly number[], rule: number): number[] {
  return cells.map((own, at) => {
    const left = (own >>> 1) | (cells.at(at - 1)! << 31)
    const right = (own << 1) | (cells[(at + 1) % WORDS]! >>> 31)
    let next = 0
    for (let state = 0; state < 8; state++) {
      if (((rule >> state) & 1) === 0) continue
      next |= (state & 4 ? left : ~left) & (state & 2 ? own : ~own) & (state & 1 ? right : ~right)
    }
    return next
  })
}

/** XORs bytes with the next ones of a keystream. */
function keystream({ rule, depth }: Automaton, alive: number): (bytes: Uint8Array) => Uint8Array {
  let cells = Array.from({ length: WORDS }, (_, at) => (alive >> 5 === at ? 1 << (31 - (alive & 31)) : 0))
  const row = Buffer.alloc(ROW_SIZE)
  let used = ROW_SIZE
  const refill = (): void => {
    for (let generation = 0; generation < depth; generation++) cells = step(cells, rule)
    for (const [at, word] of cells.entries()) row.writeInt32BE(word, 4 * at)
    used = 0
  }
  return (bytes) => {
    const recoded = new Uint8Array(bytes.length)
    for (let at = 0; at < bytes.length; at++) {
      if (used === ROW_SIZE) refill()
      recoded[at] = bytes[at]! ^ row[used++]!
    }
    return recoded
  }
}

function codec(automaton: Automaton, sending: number, receiving: number): Codec {
  const encode = keystream(automaton, sending)
  const decode = keystream(automaton, receiving)
  return { encode, decode: (chunk) => [decode(chunk)] }
}

function automatonOf(args: Args, fallback?: Automaton): Automaton {
  return {
    rule: numberOf(args, 'rule', 0, 255, fallback?.rule),
    depth: numberOf(args, 'depth', 1, 16, fallback?.depth),
  }
}

function numberOf(args: Args, key: string, least: number, most: number, fallback?: number): number {
  const text = args.get(key) ?? fallback?.toString()
  if (text === undefined) throw new Error(`missing argument '${key}'`)
  const value = /^\d{1,3}$/.test(text) ? Number(text) : NaN
  if (value >= least && value <= most) return value
  throw new Error(`argument '${key}' is no number from ${least} to ${most}`)
}

export const automata: Transport = {
  name: 'automata',
  client: () => ({
    async dial({ target, args, connect, signal }) {
      const automaton = automatonOf(args)
      return framed(await connect(target, signal), codec(automaton, TOWARDS_SERVER, TOWARDS_CLIENT))
    },
  }),
  server({ args }) {
    const automaton = automatonOf(args, { rule: 110, depth: 3 })
    return {
      args: { rule: String(automaton.rule), depth: String(automaton.depth) },
      accept: async ({ conn }) => framed(conn, codec(automaton, TOWARDS_CLIENT, TOWARDS_SERVER)),
    }
  },
}

export default automata
