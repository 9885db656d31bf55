/** `node fetch.js 'obfs4 192.0.2.7:443 cert=… iat-mode=0' [URL]`: a fetch all of whose requests go through a bridge. */
import { openBridge } from 'postern'
import { bridgeFetch } from 'postern/fetch'

const [line = '', url = 'http://bridge.example/'] = process.argv.slice(2)
await using bridge = await openBridge(line)
const response = await bridgeFetch(bridge)(url)
console.log(await response.text())
