// The server of the metric `tls`: node:tls. The first byte of a connection says what it wants: d(own), u(p), h(andshake alone).
//
//     node far-end.mjs KEY CERT          prints its port; ends with its stdin
import { readFileSync } from 'node:fs'
import { createServer } from 'node:tls'

const [, , key, cert] = process.argv
const chunk = Buffer.alloc(65_536, 'postern')

const server = createServer({ key: readFileSync(key), cert: readFileSync(cert), minVersion: 'TLSv1.3' }, (conn) => {
  conn.on('error', () => undefined)
  conn.once('data', ([wish]) => {
    if (wish === 0x68) return conn.end()
    conn.resume()
    if (wish === 0x64) fill(conn)
  })
})
server.on('tlsClientError', () => undefined)

function fill(conn) {
  const go = () => {
    while (conn.writable && conn.write(chunk));
  }
  conn.on('drain', go)
  go()
}

server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`))
process.stdin.resume().on('end', () => process.exit(0))
