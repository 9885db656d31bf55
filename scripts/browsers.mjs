/** Debian's browsers without a screen, each with a profile of its own that is gone afterwards, and ended by the id of its process group. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** In ms. */
const START = 30_000

/** By the name of the program. `open` shows a page in it; certificates of the listener are accepted. */
export const browsers = { chromium: openChromium, 'firefox-esr': openFirefox }

/** The version of a browser that is here, as it says it; undefined if it is not here. */
export function browserVersion(program) {
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8', env: { ...process.env, HOME: tmpdir() } })
  return /[\d.]{3,}/.exec(stdout ?? '')?.[0]
}

/** Calls `act` while the browser shows `url`. */
export async function withBrowser(program, url, act) {
  const folder = mkdtempSync(join(tmpdir(), 'postern-drift-'))
  const children = []
  const run = (args) => {
    const env = { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder, MOZ_HEADLESS: '1' }
    const child = spawn(program, args, { stdio: 'ignore', env, detached: true })
    children.push(child)
    return child
  }
  try {
    await browsers[program]({ run, url, folder })
    return await act()
  } finally {
    await Promise.all(children.map(end))
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = once(child, 'exit')
  process.kill(-child.pid, 'SIGKILL')
  await closed
}

async function openChromium({ run, url, folder }) {
  const flags =
    'headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update disable-sync ignore-certificate-errors'
  // It waits for the page as long as it has a port for a debugger.
  run([...flags.split(' ').map((flag) => `--${flag}`), `--user-data-dir=${folder}`, '--remote-debugging-port=0', url])
}

/** Firefox accepts the certificate if its driver, Marionette, asks for it. */
async function openFirefox({ run, url, folder }) {
  const port = await freePort()
  const settings = {
    'marionette.port': port,
    'app.update.enabled': false,
    'browser.shell.checkDefaultBrowser': false,
    'datareporting.policy.dataSubmissionEnabled': false,
    'dom.security.https_first': false,
    'network.captive-portal-service.enabled': false,
    'network.connectivity-service.enabled': false,
    'network.http.http3.enable': false,
    'network.manage-offline-status': false,
    'toolkit.telemetry.enabled': false,
  }
  const lines = Object.entries(settings).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`)
  writeFileSync(join(folder, 'user.js'), lines.join(''))
  run(['--headless', '--no-remote', '--marionette', '--profile', folder])
  const driver = await connectDriver(port)
  await driver('WebDriver:NewSession', { acceptInsecureCerts: true })
  await driver('WebDriver:Navigate', { url })
}

/** What sends commands to Marionette: `23:[0,1,"WebDriver:…",{…}]`, answered by `17:[1,1,null,{…}]`. */
async function connectDriver(port) {
  const conn = await connectPatiently(port)
  conn.on('error', () => undefined)
  let held = Buffer.alloc(0)
  let id = 0
  const message = async () => {
    for (;;) {
      const colon = held.indexOf(':')
      const end = colon < 0 ? Infinity : colon + 1 + Number(held.subarray(0, colon).toString())
      if (held.length >= end) {
        const text = held.subarray(colon + 1, end).toString()
        held = held.subarray(end)
        return JSON.parse(text)
      }
      const [chunk] = await once(conn, 'data', { signal: AbortSignal.timeout(START) })
      held = Buffer.concat([held, chunk])
    }
  }
  await message()
  return async (name, parameters) => {
    const text = JSON.stringify([0, ++id, name, parameters])
    conn.write(`${Buffer.byteLength(text)}:${text}`)
    const [, , error, result] = await message()
    if (error !== null) throw new Error(`firefox-esr: ${name}: ${error.message}`)
    return result
  }
}

async function connectPatiently(port) {
  const end = Date.now() + START
  for (;;) {
    const conn = connect(port, '127.0.0.1')
    const connected = await new Promise((resolve) => {
      conn.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    if (connected) return conn
    if (Date.now() > end) throw new Error('firefox-esr: its driver does not listen')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}
