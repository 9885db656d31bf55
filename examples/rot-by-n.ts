/**
 * rot_by_N, the draft's example of SMETHOD ARGS: every byte is rotated by N. It protects nobody.
 *
 *     SMETHOD rot_by_N 198.51.100.1:2323 ARGS:N=13
 */
import { framed } from 'postern/io'
import type { Args, Codec, Transport } from 'postern/transport'

function rotate(n: number): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => bytes.map((byte) => byte + n)
}

function codec(n: number): Codec {
  const decode = rotate(-n)
  return { encode: rotate(n), decode: (chunk) => [decode(chunk)] }
}

function rotationOf(args: Args, fallback?: string): number {
  const n = args.get('N') ?? fallback
  if (n === undefined) throw new Error("missing argument 'N'")
  if (!/^\d{1,3}$/.test(n) || Number(n) > 255) throw new Error("argument 'N' is no number from 0 to 255")
  return Number(n)
}

export const rotByN: Transport = {
  name: 'rot_by_N',
  client: () => ({
    async dial({ target, args, connect, signal }) {
      const n = rotationOf(args)
      return framed(await connect(target, signal), codec(n))
    },
  }),
  server({ args }) {
    const n = rotationOf(args, '13')
    return { args: { N: String(n) }, accept: async ({ conn }) => framed(conn, codec(n)) }
  },
}

export default rotByN
