/** The page of `postern hello capture`: it opens connections to the listener until there are enough hellos. */

/** What is captured: a WebSocket's hello, or a page's. */
export type Form = 'websocket' | 'page'

/** So many connections follow each other; then the tickets of the last ones run out. */
const IN_A_ROW = 8

/** Tickets of the listener are good for a second, and the page waits for longer before each row of connections. */
export const TICKET_SECONDS = 1
const PAUSE = 1_300

/**
 * The page is served without TLS, so that the browser need not trust the listener: a WebSocket or a request that fails for the
 * certificate has sent its hello. Firefox holds WebSockets back after failures, and sends the same hello for both.
 */
export function pageFor(form: Form): string {
  return `<!doctype html>
<meta charset="utf-8">
<title>postern hello capture</title>
<p id="text">Connecting …</p>
<script>
const host = 'localhost:' + location.port
const text = document.getElementById('text')
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const openSocket = () => new Promise((resolve) => {
  const socket = new WebSocket('wss://' + host + '/')
  socket.onclose = resolve
})
const load = () => fetch('https://' + host + '/hello', { mode: 'no-cors', cache: 'no-store' }).catch(() => undefined)
const connect = ${form === 'page'} || /Firefox/.test(navigator.userAgent) ? load : openSocket
const run = async () => {
  for (let count = 0; ; count++) {
    if (count % ${IN_A_ROW} === 0) await wait(${PAUSE})
    await connect()
    const { seen, needed, done } = await (await fetch('/status', { cache: 'no-store' })).json()
    text.textContent = done ? 'Done: this page may be closed.' : seen + ' of ' + needed + ' hellos'
    if (done) return
  }
}
run().catch(() => { text.textContent = 'The capture has ended.' })
</script>
`
}
