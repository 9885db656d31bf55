/**
 * TCP packets as tcpdump writes them (pcap), and what an observer reads off the packets of one connection.
 *
 *     24 bytes of file header │ { 16 bytes: seconds, fraction, captured length, length │ Ethernet, IPv4 or IPv6, TCP } …
 */

const FILE_HEADER = 24
const PACKET_HEADER = 16
const ETHERNET_HEADER = 14

/**
 * @typedef {object} Packet
 * @property {number} time In milliseconds.
 * @property {number} from The port that it comes from.
 * @property {number} to
 * @property {number} seq
 * @property {number} length Bytes of payload.
 * @property {boolean} syn
 * @property {boolean} fin
 * @property {boolean} rst
 * @property {boolean} psh
 * @property {boolean} ack
 */

/** Takes the bytes of a pcap stream in any chunking and gives the packets that are complete. */
export class PcapReader {
  #rest = Buffer.alloc(0)
  #started = false

  /** @param {Buffer} chunk @returns {Packet[]} */
  feed(chunk) {
    this.#rest = Buffer.concat([this.#rest, chunk])
    const packets = []
    if (!this.#started) {
      if (this.#rest.length < FILE_HEADER) return packets
      this.#rest = this.#rest.subarray(FILE_HEADER)
      this.#started = true
    }
    for (;;) {
      if (this.#rest.length < PACKET_HEADER) return packets
      const end = PACKET_HEADER + this.#rest.readUInt32LE(8)
      if (this.#rest.length < end) return packets
      const time = this.#rest.readUInt32LE(0) * 1_000 + this.#rest.readUInt32LE(4) / 1_000
      const packet = parsePacket(this.#rest.subarray(PACKET_HEADER, end), time)
      if (packet !== undefined) packets.push(packet)
      this.#rest = this.#rest.subarray(end)
    }
  }
}

/** @param {Buffer} frame @param {number} time @returns {Packet | undefined} */
function parsePacket(frame, time) {
  const ip = frame.subarray(ETHERNET_HEADER)
  const type = frame.readUInt16BE(12)
  if (type === 0x0800) {
    const header = (ip[0] & 15) * 4
    return parseTcp(ip.subarray(header), ip.readUInt16BE(2) - header, time)
  }
  return type === 0x86dd ? parseTcp(ip.subarray(40), ip.readUInt16BE(4), time) : undefined
}

/** @param {Buffer} tcp @param {number} total Bytes of header and payload. @param {number} time */
function parseTcp(tcp, total, time) {
  const flags = tcp[13]
  return {
    time,
    from: tcp.readUInt16BE(0),
    to: tcp.readUInt16BE(2),
    seq: tcp.readUInt32BE(4),
    length: total - (tcp[12] >> 4) * 4,
    fin: (flags & 1) !== 0,
    syn: (flags & 2) !== 0,
    rst: (flags & 4) !== 0,
    psh: (flags & 8) !== 0,
    ack: (flags & 16) !== 0,
  }
}

/** The packets of one connection, in the order in which they were seen. `client` is the side that connected. */
export class Connection {
  /** @type {(Packet & { side: 'client' | 'server' })[]} */
  packets = []

  /** @param {Packet} packet @param {'client' | 'server'} side */
  add(packet, side) {
    this.packets.push({ ...packet, side })
  }

  /** The first FIN and the first RST of each side, in order: `['client FIN', 'server FIN']`. */
  get ends() {
    const seen = this.packets.flatMap(({ side, fin, rst }) => (rst ? [`${side} RST`] : fin ? [`${side} FIN`] : []))
    return [...new Set(seen)]
  }

  /** Both sides have ended, or one has reset the connection. */
  get over() {
    return this.gap !== undefined || this.packets.some(({ rst }) => rst)
  }

  /** Milliseconds between the first end of one side and the first end of the other; undefined if one has not ended. */
  get gap() {
    const [a, b] = ['client', 'server'].map((one) =>
      this.packets.find(({ side, fin, rst }) => side === one && (fin || rst)),
    )
    return a === undefined || b === undefined ? undefined : Math.abs(a.time - b.time)
  }

  /** Payload bytes that a side sends after the first end of either. */
  afterEnd(side) {
    const first = this.packets.findIndex(({ fin, rst }) => fin || rst)
    return first < 0 ? 0 : total(this.#data(side, this.packets.slice(first + 1)))
  }

  /** How many RSTs a side sends. */
  resets(side) {
    return this.packets.filter((packet) => packet.side === side && packet.rst).length
  }

  /** Payload bytes that a side sends, by its numbers: on a busy machine some packets are not seen. */
  bytes(side) {
    const own = this.packets.filter((packet) => packet.side === side && !packet.rst)
    const first = own.find(({ syn }) => syn)
    if (first === undefined) return 0
    return Math.max(0, ...own.map(({ seq, length, syn }) => (syn ? 0 : (seq + length - first.seq - 1) >>> 0)))
  }

  /** Lengths of the segments with payload that a side sends. */
  segments(side) {
    return this.#data(side).map(({ length }) => length)
  }

  /**
   * Payload bytes up to each PSH. The kernel sets it at the end of each write(), so this is what a side writes, as long as
   * the peer reads and the writes are not faster than the line; else two of them may be one run.
   */
  runs(side) {
    const runs = []
    let run = 0
    for (const { length, psh } of this.#data(side)) {
      run += length
      if (psh) runs.push(run)
      if (psh) run = 0
    }
    return run === 0 ? runs : [...runs, run]
  }

  /** Without what is sent again: keep-alive probes, and what was lost. */
  #data(side, packets = this.packets) {
    let next
    return packets.filter((packet) => {
      if (packet.side !== side || packet.length === 0 || packet.syn) return false
      if (next !== undefined && ((packet.seq + packet.length - next) | 0) <= 0) return false
      next = packet.seq + packet.length
      return true
    })
  }
}

/** @param {{ length: number }[]} packets */
function total(packets) {
  return packets.reduce((sum, { length }) => sum + length, 0)
}
