/** `node fetch.js 'obfs4 192.0.2.7:443 cert=… iat-mode=0' [URL]`: Node's own fetch, through a bridge. */
import { bridgeDispatcher, openBridge } from 'postern'

const [line = '', url = 'http://bridge.example/'] = process.argv.slice(2)
await using bridge = await openBridge(line)
const response = await fetch(url, { dispatcher: await bridgeDispatcher(bridge) })
console.log(await response.text())
