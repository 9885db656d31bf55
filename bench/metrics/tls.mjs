// postern/tls beside node:tls, as clients of the same server over loopback: the record layer both ways, and handshakes.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { launch, makeFolder, readLines, removeFolder, stop } from '../children.mjs'

const here = fileURLToPath(new URL('../tls/', import.meta.url))
const PATIENCE_MS = 60_000

/** @type {import('./index.mjs').Measure} */
export async function measureTls({ loadgen, candidate, pinned }, { windowSeconds }, add) {
  const folder = makeFolder()
  const { key, chain, root } = makeCertificates(folder)
  const core = (cpu) => ({ cpu: pinned ? cpu : undefined })
  const server = launch(loadgen, [process.execPath, join(here, 'far-end.mjs'), key, chain], core(1))
  try {
    const [port] = await readLines(server, () => true)
    const args = [candidate.tls, port, root, String(windowSeconds)]
    const client = launch(loadgen, [process.execPath, join(here, 'client.mjs'), ...args], core(0))
    try {
      const { down, up, handshakes } = JSON.parse((await readLines(client, () => true, PATIENCE_MS))[0])
      for (const [way, { mbs, cpu }] of Object.entries({ down, up })) {
        add({ name: `TLS ${way}`, unit: 'MB/s', better: 'more', value: mbs })
        add({ name: `TLS ${way}: CPU, client`, unit: 's/GB', better: 'less', value: cpu })
      }
      add({ name: 'TLS handshakes, one at a time', unit: '/s', better: 'more', value: handshakes.each })
      add({ name: 'a TLS handshake: CPU, client', unit: 'ms', better: 'less', value: handshakes.cpu })
    } finally {
      await stop(client)
    }
  } finally {
    await stop(server)
    removeFolder(folder)
  }
}

/** A root and a certificate of it, by openssl, as Node makes none. */
function makeCertificates(folder) {
  const path = (name) => join(folder, name)
  const [root, rootKey, leaf, key, chain] = ['root', 'root-key', 'leaf', 'key', 'chain'].map(path)
  const make = (...args) =>
    execFileSync('openssl', ['req', '-x509', '-days', '2', '-noenc', '-newkey', 'ec', ...args], { stdio: 'ignore' })
  const curve = ['-pkeyopt', 'ec_paramgen_curve:P-256']
  make(...curve, '-subj', '/CN=root', '-keyout', rootKey, '-out', root)
  const names = ['-addext', 'subjectAltName=DNS:bridge.example', '-addext', 'basicConstraints=critical,CA:FALSE']
  make(...curve, '-subj', '/CN=leaf', ...names, '-CA', root, '-CAkey', rootKey, '-keyout', key, '-out', leaf)
  writeFileSync(chain, readFileSync(leaf, 'latin1') + readFileSync(root, 'latin1'))
  return { key, chain, root }
}
