// One client of the metric `tls`: postern/tls with a browser's hello, or node:tls. Prints what it measured as a line of JSON.
//
//     node client.mjs postern|node PORT ROOT SECONDS
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as tcpConnect } from 'node:net'
import { connect as nodeTls } from 'node:tls'
import { connectTls } from '../../dist/tls/index.js'

const [, , which, port, root, seconds] = process.argv
const roots = readFileSync(root, 'latin1')
const servername = 'bridge.example'
const window = Number(seconds) * 1_000
/** Until the compiler is done, in ms. */
const WARM = 500
const MB = 1e6

async function tcp() {
  const conn = tcpConnect({ port: Number(port), host: '127.0.0.1', noDelay: true })
  await once(conn, 'connect')
  return conn
}

async function secure() {
  const socket = await tcp()
  if (which === 'postern') return await connectTls(socket, { servername, roots })
  const conn = nodeTls({ socket, servername, ca: roots })
  await once(conn, 'secureConnect')
  return conn
}

/** Bytes for each second, and the CPU time for a gigabyte, of what `count` has counted in the window. */
async function measure(count) {
  await pause(WARM)
  const [bytes, cpu, time] = [count(), process.cpuUsage(), performance.now()]
  await pause(window)
  const carried = count() - bytes
  const { user, system } = process.cpuUsage(cpu)
  const taken = (performance.now() - time) / 1_000
  return { mbs: carried / MB / taken, cpu: (user + system) / 1e6 / (carried / 1e9) }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function download() {
  const conn = await secure()
  let bytes = 0
  conn.on('data', (chunk) => (bytes += chunk.length))
  conn.write('d')
  const result = await measure(() => bytes)
  conn.destroy()
  return result
}

async function upload() {
  const conn = await secure()
  const chunk = Buffer.alloc(65_536, 'postern')
  let bytes = 0
  const go = () => {
    while (conn.write(chunk, () => (bytes += chunk.length)));
  }
  conn.on('drain', go)
  conn.write('u')
  go()
  const result = await measure(() => bytes)
  conn.removeListener('drain', go)
  conn.on('error', () => undefined).destroy()
  return result
}

/** Handshakes one after another: how many in a second, and how much CPU time each takes here, in ms. */
async function handshakes() {
  const some = async (until) => {
    let done = 0
    while (performance.now() < until) {
      const conn = await secure()
      conn.destroy()
      done++
    }
    return done
  }
  await some(performance.now() + WARM)
  const [cpu, time] = [process.cpuUsage(), performance.now()]
  const done = await some(time + window)
  const { user, system } = process.cpuUsage(cpu)
  return { each: done / ((performance.now() - time) / 1_000), cpu: (user + system) / 1e3 / done }
}

const result = { down: await download(), up: await upload(), handshakes: await handshakes() }
process.stdout.write(`${JSON.stringify(result)}\n`)
process.exit(0)
